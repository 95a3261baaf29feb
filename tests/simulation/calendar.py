"""A schedule in a story: its dates, what became of them, and what must have."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from engine.api import schedules
from engine.clock import SECOND, Instant, after, milliseconds
from engine.decider.validate import check_workflow
from engine.model.execution import NEVER, Workflow
from engine.model.schedule import ExecutionState, OverlapPolicy, ScheduleExecution
from engine.model.status import WorkflowStatus
from engine.store.schedule_port import ExecutionQuery
from engine.wire.schedule_json import run_of
from tests.simulation.rules import Rule, expect

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Dates of the schedule, one each second of the story.
DATES: Final = 12

#: How long its runs take, seconds, by what becomes of a date while the run before is open.
_TAKES: Final[dict[OverlapPolicy, int]] = {
    OverlapPolicy.ALLOW: 0,
    OverlapPolicy.SKIP: 3,
    OverlapPolicy.BUFFER_ONE: 3,
    OverlapPolicy.CANCEL_PREVIOUS: 900,
}
#: Runs of a schedule that has each one end before the next begins.
_ONE_BY_ONE: Final = frozenset({OverlapPolicy.SKIP, OverlapPolicy.BUFFER_ONE})

_NAME: Final = "ticks"
_WORKFLOW: Final = "tick"


class Calendar:
    """Registers a schedule, and knows what must become of each of its dates."""

    def __init__(self, world: World, policy: OverlapPolicy) -> None:
        self._world = world
        self._policy = policy
        now = world.clock.now()
        begin = Instant(now - now % SECOND)
        self._dates = {after(begin, number) for number in range(1, DATES + 1)}
        wait = {"duration": f"{_TAKES[policy]} seconds"}
        step = {"name": "wait", "taskReferenceName": "wait", "type": "WAIT", "inputParameters": wait}
        with world.store.transaction() as transaction:
            transaction.register_workflow(check_workflow({"name": _WORKFLOW, "tasks": [step]}), overwrite=True)
        document = {
            "name": _NAME,
            "cronExpression": "* * * * * *",
            "scheduleEndTime": milliseconds(after(begin, DATES)),
            "runCatchupScheduleInstances": True,
            "overlapPolicy": policy.value,
            "startWorkflowRequest": {"name": _WORKFLOW},
        }
        schedules.save(world.store, document, now)

    def pending(self) -> list[str]:
        """Return what is still to be done for the schedule."""
        with self._world.store.transaction() as transaction:
            row = transaction.schedule(_NAME)
            waiting = [each.id for each in transaction.unseen_executions(DATES)]
        assert row is not None
        to_come = row.progress.next_at != NEVER or row.progress.buffered_at != NEVER
        return waiting + ["a date to come"] * to_come

    def at_the_end(self) -> None:
        """Every date was taken up once, and has the run that it must have."""
        with self._world.store.transaction() as transaction:
            _, found = transaction.executions(ExecutionQuery())
        expect({each.at for each in found} == self._dates, Rule.SCHEDULE, f"dates of {_NAME} are lost or made up")
        started = {each.id: each for each in found if each.state is ExecutionState.EXECUTED}
        runs = sorted(self._runs(), key=lambda run: run.created_at)
        strange = {run.id for run in runs} ^ started.keys()
        expect(not strange, Rule.SCHEDULE, f"dates without their run, or runs without their date: {sorted(strange)}")
        expect(
            all(key == run_of(_NAME, each.at) for key, each in started.items()), Rule.SCHEDULE, "a run is of no date"
        )
        skipped = [each for each in found if each.id not in started]
        if self._policy in _ONE_BY_ONE:
            for one, other in pairwise(runs):
                expect(one.ended_at <= other.created_at, Rule.SCHEDULE, f"{other.id} began while {one.id} was open")
            for each in skipped:
                expect(self._was_busy(each, runs, started), Rule.SCHEDULE, f"{each.id} was skipped without a reason")
            return
        expect(not skipped, Rule.SCHEDULE, f"{[each.id for each in skipped]} have no run, by {self._policy}")
        if self._policy is OverlapPolicy.CANCEL_PREVIOUS:
            last = max(runs, key=lambda run: started[run.id].at)
            left = [run.id for run in runs if run is not last and run.status is not WorkflowStatus.TERMINATED]
            expect(not left, Rule.SCHEDULE, f"{left} made no room for the runs after them")

    def _was_busy(self, date: ScheduleExecution, runs: list[Workflow], started: dict[str, ScheduleExecution]) -> bool:
        """True when a run of another date was open, or asked for, as this one was taken up."""
        return any(started[run.id].executed_at <= date.executed_at <= run.ended_at for run in runs)

    def _runs(self) -> list[Workflow]:
        return [run for run in self._world.store._tables.workflows.values() if run.name == _WORKFLOW]
