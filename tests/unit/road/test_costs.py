"""A run that costs too much ends with the reason, or lets others go first; it never holds up its partition."""

from __future__ import annotations

import time

import pytest

from engine.config import Settings
from engine.model.event import StartWorkflow
from engine.model.payload import Json
from engine.testing.harness import Harness
from engine.wire.start_message import encode_start

LIMIT = 20_000


def step(ref: str, kind: str = "NOOP", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


def twice(ref: str, what: str) -> dict[str, object]:
    return step(ref, inputParameters={"a": what, "b": what})


def chosen(ref: str) -> dict[str, object]:
    """A task of the engine's own that has an output."""
    return step(ref, "SWITCH", evaluatorType="value-param", expression="t", decisionCases={"-": [step(f"{ref}n")]})


def loop(*body: dict[str, object], condition: str = "$.l.iteration < 10000", **inputs: Json) -> dict[str, object]:
    return step("l", "DO_WHILE", loopCondition=condition, loopOver=list(body), inputParameters=inputs)


@pytest.fixture
def harness() -> Harness:
    return Harness(settings=Settings(payload_limit_bytes=LIMIT, step_budget=1_000))


def began(harness: Harness, *tasks: dict[str, object], given: dict[str, Json] | None = None) -> str:
    harness.register({"name": "w", "tasks": list(tasks), "outputParameters": {"done": True}})
    return harness.start("w", given or {})


def test_inputs_that_double_from_step_to_step_end_the_run_with_the_reason(harness: Harness) -> None:
    steps = [twice("s0", "${workflow.input.text}")]
    steps += [twice(f"s{number}", f"${{s{number - 1}.input}}") for number in range(1, 60)]

    run = began(harness, *steps, given={"text": "ha"})

    assert harness.run(run).status == "FAILED"
    assert "has more than 40,000 characters" in str(harness.run(run).reason)


def test_texts_that_double_from_step_to_step_end_the_run_with_the_reason(harness: Harness) -> None:
    steps = [step("s0", inputParameters={"t": "${workflow.input.text}"})]
    steps += [
        step(f"s{number}", inputParameters={"t": f"${{s{number - 1}.input.t}} ${{s{number - 1}.input.t}}"})
        for number in range(1, 60)
    ]

    run = began(harness, *steps, given={"text": "ha"})

    assert "has more than 40,000 characters" in str(harness.run(run).reason)


def test_variables_that_double_in_a_loop_end_the_run_with_the_reason(harness: Harness) -> None:
    grow = step("v", "SET_VARIABLE", inputParameters={"t": "${workflow.variables.t}x${workflow.variables.t}"})

    run = began(harness, loop(grow))
    assert harness.run(run).status == "FAILED"
    assert "characters" in str(harness.run(run).reason)


def test_joins_that_join_joins_end_the_run_with_the_reason(harness: Harness) -> None:
    steps = [step("f", "FORK_JOIN", forkTasks=[[chosen("a")]]), step("j0", "JOIN", joinOn=["a"])]
    for number in range(1, 60):
        before = f"j{number - 1}"
        fork = step(f"f{number}", "FORK_JOIN", forkTasks=[[step(f"x{number}", "NOOP")]])
        steps += [
            fork,
            step(f"k{number}", "JOIN", joinOn=[before]),
            step(f"j{number}", "JOIN", joinOn=[before, f"k{number}"]),
        ]

    run = began(harness, *steps)

    assert harness.run(run).status == "FAILED"
    assert "The output of j" in str(harness.run(run).reason)


def test_a_loop_that_gathers_too_much_ends_the_run_with_the_reason(harness: Harness) -> None:
    gather = {**chosen("s"), "inputParameters": {"t": "${workflow.input.text}"}}

    run = began(harness, loop(gather), given={"text": "x" * 1_000})

    assert harness.run(run).status == "FAILED"
    assert "keepLastN" in str(harness.run(run).reason)


def test_a_path_that_costs_too_much_ends_the_run_with_the_reason(harness: Harness) -> None:
    twins: Json = 1
    for _ in range(11):
        twins = [twins, twins]

    run = began(harness, step("n", inputParameters={"x": "${workflow.input.t" + "..*" * 12 + "}"}), given={"t": twins})

    assert harness.run(run).status == "FAILED"
    assert "500,000 steps" in str(harness.run(run).reason)


def handled_once(harness: Harness, *tasks: dict[str, object], given: dict[str, Json] | None = None) -> str:
    """Let the road carry a start, and nothing that follows from it."""
    harness.register({"name": "w", "tasks": list(tasks), "outputParameters": {"done": True}})
    start = StartWorkflow(event_id="s", workflow_id="run", name="w", input=given or {})
    harness.broker.connect().publish([encode_start(start)])
    harness.executor.handle(harness.road.receive(100, 0))
    return "run"


@pytest.mark.parametrize("condition", ["(() => $.l.iteration < 40)()", "$.l.iteration < 2000"])
def test_a_loop_of_costly_conditions_lets_others_go_first_and_comes_to_its_end(
    harness: Harness, condition: str
) -> None:
    run = handled_once(harness, loop(step("n"), condition=condition))
    first = harness.rows(run).workflow.last_seq
    assert harness.run(run).status == "RUNNING"

    harness.carry()

    assert harness.run(run).status == "COMPLETED"
    assert harness.rows(run).workflow.last_seq > 2 * first


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "SWITCH", "evaluatorType": "javascript", "expression": "(() => 'a')()"},
        {"type": "DECISION", "caseExpression": "(() => 'a')()"},
    ],
    ids=lambda choice: str(choice["type"]),
)
def test_a_row_of_costly_choices_lets_others_go_first_and_comes_to_its_end(
    harness: Harness, choice: dict[str, str]
) -> None:
    row = [step(f"c{number}", decisionCases={"b": [step(f"b{number}")]}, **choice) for number in range(40)]

    run = handled_once(harness, *row)

    assert harness.run(run).status == "RUNNING"
    harness.carry()
    assert harness.run(run).status == "COMPLETED"


def test_a_fork_whose_every_branch_is_large_is_sent_in_parts() -> None:
    harness = Harness(settings=Settings(payload_limit_bytes=1_000_000, step_budget=1_000))
    branches = [[step(f"b{number}", "SIMPLE", inputParameters={"t": "${workflow.input.text}"})] for number in range(40)]

    run = handled_once(
        harness, step("f", "FORK_JOIN", forkTasks=branches), step("j", "JOIN"), given={"text": "x" * 300_000}
    )

    assert harness.rows(run).workflow.last_seq < 20
    harness.carry()
    assert harness.rows(run).workflow.last_seq == 42


def test_one_decision_takes_a_moment_whatever_the_conditions() -> None:
    harness = Harness()
    waste = "let until = Date.now() + 30; while (Date.now() < until); $.l.iteration < 10000"
    before = time.process_time()

    run = handled_once(harness, loop(step("n"), condition=waste))

    assert time.process_time() - before < 5
    assert harness.run(run).status == "RUNNING"
    assert harness.rows(run).workflow.last_seq > 2
