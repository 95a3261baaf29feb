"""The mixed workflows of the chaos, what each must come to, and in which proportion they are started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.acceptance.stack import simple, task_def, workflow

#: One task, nothing else: tells whether work is done again.
CANARY = "chaos_canary"

#: The task of which a worker's process dies, and the workflow that it belongs to.
HUNGRY, STARVING = "hungry", "chaos_starving"


@dataclass(frozen=True)
class Kind:
    """One workflow: how often it is started in relation to the others, and what becomes of its input."""

    definition: Mapping[str, Any]
    weight: int
    status: str
    #: From the number in the input to the output ``sum``.
    sum: Callable[[int], int | None]

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.definition["name"])


def _adding(ref: str, left: str, right: int = 1) -> dict[str, Any]:
    return simple("add", ref, left=left, right=right)


def _step(kind: str, ref: str, **fields: Any) -> dict[str, Any]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


def _flow(name: str, *tasks: Mapping[str, Any], last: str | None, **fields: Any) -> dict[str, Any]:
    output = {"sum": f"${{{last}}}"} if last else {}
    return workflow(f"chaos_{name}", *tasks, outputParameters=output, **fields)


GIVEN = "${workflow.input.number}"

CHAIN = _flow(
    "chain",
    _adding("a", GIVEN),
    _adding("b", "${a.output.sum}"),
    _adding("c", "${b.output.sum}"),
    _adding("d", "${c.output.sum}"),
    last="d.output.sum",
)

FORK = _flow(
    "fork",
    _step(
        "FORK_JOIN",
        "fork",
        forkTasks=[
            [_adding("left", GIVEN), _adding("left_again", "${left.output.sum}")],
            [simple("nap", "middle", left=GIVEN, seconds=0.2)],
            [_adding("right", GIVEN, 5)],
        ],
    ),
    _step("JOIN", "join", joinOn=["left_again", "middle", "right"]),
    simple("total", parts={ref: f"${{{ref}.output}}" for ref in ("left_again", "middle", "right")}),
    last="total.output.sum",
)

DYNAMIC = _flow(
    "dynamic",
    simple("plan", count=5),
    _step(
        "FORK_JOIN_DYNAMIC",
        "fork",
        inputParameters={"tasks": "${plan.output.tasks}", "inputs": "${plan.output.inputs}"},
        dynamicForkTasksParam="tasks",
        dynamicForkTasksInputParamName="inputs",
    ),
    _step("JOIN", "join"),
    simple("total", parts="${join.output}"),
    _adding("last", "${total.output.sum}", 0),
    last="last.output.sum",
)

NESTED = _flow(
    "nested",
    _step(
        "SUB_WORKFLOW",
        "first",
        inputParameters={"number": GIVEN},
        subWorkflowParam={"name": "chaos_chain", "version": 1},
    ),
    _step(
        "SUB_WORKFLOW",
        "second",
        inputParameters={"number": "${first.output.sum}"},
        subWorkflowParam={"name": "chaos_fork", "version": 1},
    ),
    last="second.output.sum",
)

WAITING = _flow(
    "waiting",
    _adding("a", GIVEN),
    _step("WAIT", "pause", inputParameters={"duration": "1s"}),
    _adding("b", "${a.output.sum}"),
    last="b.output.sum",
)

LOOP = _flow(
    "loop",
    _step(
        "DO_WHILE",
        "loop",
        loopCondition="$.loop.iteration < 3",
        loopOver=[_adding("turn", GIVEN, 7)],
    ),
    _adding("after", "${turn.output.sum}"),
    last="after.output.sum",
)

SCRIPTED = _flow(
    "scripted",
    _step("INLINE", "doubled", inputParameters={"number": GIVEN, "expression": "$.number * 2"}),
    _step(
        "SWITCH",
        "even",
        inputParameters={"number": GIVEN},
        evaluatorType="javascript",
        expression="$.number % 2 === 0 ? 'even' : 'odd'",
        decisionCases={"even": [_adding("more", "${doubled.output.result}", 10)]},
        defaultCase=[_adding("less", "${doubled.output.result}", 1)],
    ),
    _step("INLINE", "chosen", inputParameters={
        "more": "${more.output.sum}", "less": "${less.output.sum}",
        "expression": "$.more === null ? $.less : $.more",
    }),
    last="chosen.output.result",
)  # fmt: skip

MOODY = _flow("moody", simple("moody", left=GIVEN), _adding("b", "${moody.output.sum}"), last="b.output.sum")

NAPPING = _flow(
    "napping",
    simple("nap", "a", left=GIVEN, seconds=1.0),
    simple("nap", "b", left="${a.output.sum}", seconds=0.5),
    last="b.output.sum",
)

SORRY = _flow("sorry", simple("add", "a", left=1, right=1), last="a.output.sum")

HOPELESS = _flow("hopeless", simple("hopeless"), last=None, failureWorkflow="chaos_sorry")

#: The service answers every third call with 503.
ASKING = _flow(
    "asking",
    _step(
        "HTTP",
        "asked",
        inputParameters={"http_request": {"uri": f"${{workflow.input.service}}/add?to={GIVEN}", "method": "GET"}},
    ),
    _adding("b", "${asked.output.response.body.sum}"),
    last="b.output.sum",
)

OPTIONAL = _flow(
    "optional",
    {**simple("hopeless", "left_out"), "optional": True},
    _adding("a", GIVEN),
    last="a.output.sum",
)

STARVED = _flow("starving", simple(HUNGRY, "a", left=GIVEN), last="a.output.sum")

KINDS: tuple[Kind, ...] = (
    Kind(CHAIN, 6, "COMPLETED", lambda number: number + 4),
    Kind(FORK, 4, "COMPLETED", lambda number: 3 * number + 7),
    Kind(DYNAMIC, 3, "COMPLETED", lambda _: 20),
    Kind(NESTED, 2, "COMPLETED", lambda number: 3 * (number + 4) + 7),
    Kind(WAITING, 3, "COMPLETED", lambda number: number + 2),
    Kind(LOOP, 3, "COMPLETED", lambda number: number + 8),
    Kind(SCRIPTED, 3, "COMPLETED", lambda number: 2 * number + (1 if number % 2 else 10)),
    Kind(MOODY, 3, "COMPLETED", lambda number: number + 1),
    Kind(NAPPING, 2, "COMPLETED", lambda number: number),
    Kind(ASKING, 3, "COMPLETED", lambda number: number + 2),
    Kind(OPTIONAL, 2, "COMPLETED", lambda number: number + 1),
    Kind(HOPELESS, 1, "FAILED", lambda _: None),
    # Started by faults alone.
    Kind(STARVED, 0, "COMPLETED", lambda number: number),
)

BY_NAME = {kind.name: kind for kind in KINDS}

WORKFLOWS = [*(kind.definition for kind in KINDS), SORRY, _flow("canary", _adding("a", GIVEN), last="a.output.sum")]

#: How many sub-workflows each run of a workflow has.
CHILDREN = {"chaos_nested": 2}

#: The tasks that every Celery worker of the chaos serves.
QUEUES = ("add", "nap", "plan", "total", "moody", "hopeless")

#: Seconds without a sign of life after which an attempt ends: short, so that nothing waits for an hour.
SILENCE = 5

#: More attempts than the faults of a run can spoil.
RETRIES = 50


def task_definitions() -> list[dict[str, Any]]:
    """Return the definitions of the tasks, system tasks included: what gets lost is tried again, soon and often."""
    names = (*QUEUES, HUNGRY, "doubled", "chosen", "asked")
    fields = {"retryCount": RETRIES, "retryDelaySeconds": 1, "responseTimeoutSeconds": SILENCE}
    return [task_def(name, **fields) for name in names]


def choose(chance: Random) -> Kind:
    """Return the next workflow to start."""
    return chance.choices(KINDS, [kind.weight for kind in KINDS])[0]
