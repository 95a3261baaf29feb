"""Definitions made to harm: each is refused at once with sentences, whatever it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from engine.decider.validate import check_task, check_workflow
from engine.errors import BadDefinition
from engine.model.definition import MOST_FAULTS
from engine.model.payload import Json


def step(**fields: Json) -> dict[str, Json]:
    return {"name": "a", "taskReferenceName": "a", "type": "NOOP", **fields}


def workflow(*steps: Json, **fields: Json) -> Json:
    return {"name": "w", "tasks": list(steps), **fields}


def nested(value: Json, depth: int) -> Json:
    for _ in range(depth):
        value = [value]
    return value


def loops(depth: int) -> Json:
    inner: Json = step()
    for number in range(depth):
        loop = {"name": "l", "taskReferenceName": f"l{number}", "type": "DO_WHILE", "loopCondition": "false"}
        inner = {**loop, "loopOver": [inner]}
    return inner


def switches(count: int, expression: str) -> Json:
    kind = {"type": "SWITCH", "evaluatorType": "javascript", "expression": expression}
    case = {"decisionCases": {"-": []}}
    return workflow(*({"name": "s", "taskReferenceName": f"s{number}", **kind, **case} for number in range(count)))


HOSTILE: dict[str, Callable[[], Json]] = {
    "half a million steps that are none": lambda: workflow(*[0] * 500_000),
    "ten thousand steps that are none": lambda: workflow(*[0] * 10_000),
    "one name for all": lambda: workflow(*[step()] * 5_000),
    "a million characters in one place": lambda: workflow(step(inputParameters={"t": "x" * 3_000_000})),
    "steps nested deeply": lambda: workflow(loops(400)),
    "data nested deeply": lambda: workflow(step(inputParameters={"a": nested(1, 5_000)})),
    "thousands of scripts": lambda: switches(3_000, "(() => 1)()"),
    "a script that is nothing but brackets": lambda: switches(1, "(" * 40_000),
    "thousands of faulty expressions": lambda: workflow(step(inputParameters={"t": "${nobody}" * 20_000})),
    "thousands of braces": lambda: workflow(step(inputParameters={"t": "${" * 50_000 + "}" * 50_000})),
    "a long name": lambda: workflow(step(), name="w" * 1_000_000),
    "a long reference": lambda: workflow(step(taskReferenceName="r" * 300)),
    "a long key": lambda: workflow(step(type="SWITCH", decisionCases={"k" * 100_000: [0] * 200})),
    "a version beyond all databases": lambda: workflow(step(), version=10**30),
    "a delay beyond all calendars": lambda: workflow(step(startDelay=10**30)),
    "a pattern that is too large": lambda: workflow(
        step(inputParameters={"t": "${workflow.input[?(@ =~ /" + "(?:\\pL{1,500}x?)" * 50 + "/)]}"})
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_definition_is_refused_at_once(case: str) -> None:
    document = HOSTILE[case]()
    began = time.process_time()

    with pytest.raises(BadDefinition) as refusal:
        check_workflow(document)

    assert time.process_time() - began < 3
    assert 1 <= len(refusal.value.faults) <= 2 * MOST_FAULTS
    assert len(str(refusal.value)) < 500_000


@pytest.mark.parametrize("strange", ["\n", "\x1b[2J", "\r", "\x00", "\x7f", "\u202e", "\ud800", "\u2028", "\ufeff"])
def test_names_cannot_write_to_terminals_and_logs(strange: str) -> None:
    for document in (workflow(step(), name=f"w{strange}"), workflow(step(name=f"a{strange}"))):
        with pytest.raises(BadDefinition, match="which no name may have"):
            check_workflow(document)
    with pytest.raises(BadDefinition, match="which no name may have"):
        check_workflow(workflow(step(taskReferenceName=f"a{strange}")))
    with pytest.raises(BadDefinition, match="which no name may have"):
        check_task({"name": f"a{strange}"})


@pytest.mark.parametrize(
    "name", ["order", "Bestellung prüfen", "注文", "a/b", "../../etc/passwd", "a.b-c_d:e", "'; --"]
)
def test_names_that_people_can_read_are_allowed(name: str) -> None:
    assert check_workflow(workflow(step(), name=name)).name == name


def test_a_definition_as_large_as_anybody_needs_is_read() -> None:
    steps = [{**step(), "taskReferenceName": f"t{number}"} for number in range(3_000)]

    assert len(check_workflow(workflow(*steps)).tasks) == 3_000
    assert check_workflow(workflow(loops(30))).name == "w"
    assert check_workflow(switches(400, "(() => 1)()")).name == "w"
