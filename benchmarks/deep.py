"""deep: a parent with 1,000 sub-workflows, and fifty levels of them, beside the same number of tasks in chains."""

from __future__ import annotations

from benchmarks.chain import STEPS, definition
from benchmarks.cpu import Meter
from benchmarks.figure import Figure, Round, Target
from benchmarks.runs import Runs
from benchmarks.scope import Scope

#: A task in a family of runs may take so many times what one in a chain does; as rates, half as many.
_HALF = 0.5

_LEVELS = 50

_CHILD = {"name": "bench_child", "version": 1, "tasks": [{"name": "empty", "taskReferenceName": "only"}]}

_WIDE = {
    "name": "bench_wide",
    "version": 1,
    "tasks": [
        {
            "name": "fork",
            "taskReferenceName": "fork",
            "type": "FORK_JOIN_DYNAMIC",
            "inputParameters": {"forkTaskWorkflow": "bench_child", "forkTaskInputs": "${workflow.input.children}"},
        },
        {"name": "join", "taskReferenceName": "join", "type": "JOIN"},
    ],
}


def _levels() -> list[dict[str, object]]:
    """Return workflows each of which runs an empty task, then the next workflow; the first is the outermost."""
    found: list[dict[str, object]] = []
    for level in range(1, _LEVELS + 1):
        tasks: list[dict[str, object]] = [{"name": "empty", "taskReferenceName": "first"}]
        if level < _LEVELS:
            below = {"name": f"bench_level_{level + 1}", "version": 1}
            tasks.append(
                {"name": "below", "taskReferenceName": "below", "type": "SUB_WORKFLOW", "subWorkflowParam": below}
            )
        found.append({"name": f"bench_level_{level}", "version": 1, "tasks": tasks})
    return found


def measure(scope: Scope) -> list[Figure]:
    """Measure tasks a second: the workers' and those that stand for children, because both are rows and steps."""
    children = scope.at_most(1_000, quick=50)
    with scope.stack.decider() as decider, scope.stack.worker(prefetch_multiplier=16) as worker:
        meter = Meter({"decider": [decider], "worker": [worker], **scope.stack.server_processes()})
        chains, wide = Runs(scope.stack, definition()), Runs(scope.stack, _WIDE, _CHILD)
        nested = Runs(scope.stack, *_levels())
        sides: dict[str, list[Round]] = {"chain": [], "one": [], "wide": [], "nested": []}
        for number in range(scope.rounds + 1):
            tasks = 2 * children
            sides["chain"].append(chains.all_of([{}] * (tasks // STEPS), meter, tasks))
            sides["wide"].append(wide.all_of([{"children": [{}] * children}], meter, tasks))
            # One after the other, as levels are: what a step takes when nothing else goes on.
            sides["one"].append(chains.all_of([{}], meter, STEPS))
            sides["nested"].append(nested.all_of([{}], meter, 2 * _LEVELS - 1))
            scope.tell(
                f"deep, round {number}: chains {sides['chain'][-1].value:,.0f}/s, "
                f"{children:,} children {sides['wide'][-1].value:,.0f}/s; "
                f"one chain {sides['one'][-1].value:,.0f}/s, {_LEVELS} levels {sides['nested'][-1].value:,.0f}/s"
            )
        for each in (chains, wide, nested):
            each.close()
    counted = {name: rounds[1:] for name, rounds in sides.items()}
    target = Target("≥", _HALF, of_ratio=True)
    return [
        Figure(f"deep: {children:,} sub-workflows", "tasks/s", counted["wide"], counted["chain"], target),
        Figure(f"deep: {_LEVELS} levels", "tasks/s", counted["nested"], counted["one"], target),
    ]
