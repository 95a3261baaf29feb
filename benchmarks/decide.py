"""decide: the pure decision alone, steps for each second of processor time, in short runs and in long ones."""

from __future__ import annotations

import time
from itertools import count

from benchmarks.figure import Figure, Round, Target
from benchmarks.scope import Scope
from engine.clock import Instant
from engine.decider.decide import Decision, begin, decide, new_run
from engine.decider.draft import Surroundings
from engine.decider.execution import Execution
from engine.decider.validate import check_workflow
from engine.model.definition import WorkflowDef
from engine.model.event import StartWorkflow, TaskResult
from engine.model.status import TaskStatus, WorkflowStatus

#: Steps of the runs; the first is what the others are compared with.
_SIZES = (10, 100, 1_000)

#: Steps that are decided in a round, in as many runs as that takes.
_STEPS = 10_000


def _definition(steps: int) -> WorkflowDef:
    tasks: list[dict[str, object]] = [{"name": "first", "taskReferenceName": "t0"}]
    for number in range(1, steps):
        inputs = {"before": f"${{t{number - 1}.output.n}}", "who": "${workflow.input.who}"}
        tasks.append({"name": "next", "taskReferenceName": f"t{number}", "inputParameters": inputs})
    return check_workflow({"name": f"bench_decide_{steps}", "version": 1, "tasks": tasks})


def measure(scope: Scope) -> list[Figure]:
    """Measure chains whose tasks read the output of the one before and the run's input."""
    rounds: dict[int, list[Round]] = {size: [] for size in _SIZES}
    for _ in range(scope.rounds + 1):
        for size in _SIZES:
            rounds[size].append(Round(rate(size, max(1, _STEPS // size))))
    scope.tell(", ".join(f"chains of {size:,}: {rounds[size][-1].value:,.0f} steps/s" for size in _SIZES))
    short = rounds[_SIZES[0]][1:]
    return [
        Figure(f"decide: chains of {_SIZES[0]}", "steps/s", short, (), Target("≥", 20_000)),
        *(
            Figure(f"decide: chains of {size:,}", "steps/s", rounds[size][1:], short, Target("≥", 0.67, of_ratio=True))
            for size in _SIZES[1:]
        ),
    ]


def rate(steps: int, runs: int) -> float:
    """Run chains from their start to their end, without store and broker; return steps a second."""
    definition = _definition(steps)
    opened = [_begun(definition, number) for number in range(runs)]
    now, events = Instant(2_000_000), count()
    began = time.process_time()
    for run in opened:
        for seq in range(1, steps + 1):
            result = TaskResult(
                event_id=f"result {next(events)}",
                workflow_id=run.workflow.id,
                seq=seq,
                status=TaskStatus.COMPLETED,
                output={"n": seq},
                worker="bench",
            )
            _fold(decide(run, (result,), now, _SURROUNDINGS))
    spent = time.process_time() - began
    unfinished = sum(1 for run in opened if run.workflow.status is not WorkflowStatus.COMPLETED)
    if unfinished:
        raise RuntimeError(f"{unfinished} of {runs} chains did not come to their end")
    return steps * runs / spent


_SURROUNDINGS = Surroundings()


def _begun(definition: WorkflowDef, number: int) -> Execution:
    """Return a run whose first task is dispatched."""
    identity, now = f"run-{number}", Instant(1_000_000)
    start = StartWorkflow(event_id=identity, workflow_id=identity, name=definition.name, input={"who": "Ada"})
    run = new_run(start, definition, "hash", now)
    _fold(begin(run, start, now, _SURROUNDINGS))
    return run


def _fold(decision: Decision) -> None:
    """Make a decision part of its run, as the road does once it is saved."""
    decision.draft.fold(decision.workflow)
