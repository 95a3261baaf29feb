"""Stories in which the runs that people start share one key: one goes on at a time, the next when it has ended."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import structlog

from engine.decider.validate import check_workflow
from engine.model.execution import Workflow
from engine.model.status import Slot, WorkflowStatus
from engine.store.port import LoggedRequest, Rows, Save
from tests.simulation.processes import Process
from tests.simulation.rules import Rule, expect
from tests.simulation.scenario import Scenario, scenario
from tests.simulation.world import World

KEY = {"rateLimitKey": "all", "concurrentExecLimit": 1, "policy": "QUEUE"}


class OneByOne(World):
    """A world in which every workflow that people start is limited, all of them together."""

    def __init__(self, told: Scenario) -> None:
        super().__init__(told)
        #: Every change of a root's time is another expectation than the story had.
        self._all_changed = True
        self._committed = self.invariants.committed
        self.invariants.committed = self._look  # type: ignore[method-assign]
        self.waited = 0

    def _register(self) -> None:
        super()._register()
        with self.store.transaction() as transaction:
            for root in self.scenario.roots:
                limited = {**self.definitions[root.name], "rateLimitConfig": KEY}
                transaction.register_workflow(check_workflow(limited), overwrite=True)

    def _limited(self) -> list[Workflow]:
        return [run for run in self.store._tables.workflows.values() if run.rate_limit_key is not None]

    def _look(
        self, process: Process, saved: Sequence[tuple[Save, Rows | None]], logged: Sequence[LoggedRequest]
    ) -> None:
        self._committed(process, saved, logged)
        slots = self.store._tables.slots
        held = [key for key, slot in slots.items() if slot.is_held and key[1] < 0]
        expect(len(held) <= 1, Rule.LIMITS, f"{held} go on at a time")
        for run in self._limited():
            place = slots.get((run.id, -run.slot_no))
            told = {Slot.NONE: place is None, Slot.WAITING: place is not None, Slot.HELD: place and place.is_held}
            expect(bool(told[run.slot]), Rule.LIMITS, f"{run.id} says {run.slot!r} and its slot is {place}")
            limited = run.slot is not Slot.NONE
            expect(run.status.is_open is limited, Rule.LIMITS, f"{run.id} is {run.status} and its slot {run.slot!r}")
            self.waited += run.slot is Slot.WAITING
        for save, before in saved:
            waits = save.workflow.slot is Slot.WAITING and (before is None or before.workflow.slot is Slot.WAITING)
            retried = before is not None and before.workflow.slot_no != save.workflow.slot_no
            expect(not waits or retried or not save.inserted, Rule.LIMITS, f"{save.workflow.id} waits and goes on")

    def _rest(self) -> bool:
        if not (self.wiped or self._engine_messages() or self._stalled()):
            self._look_at_rest()
        return super()._rest()

    def _look_at_rest(self) -> None:
        """Whoever was granted the slot knows it, and it is not free while somebody waits."""
        runs, slots = self._limited(), self.store._tables.slots
        for run in runs:
            if run.slot is Slot.WAITING:
                granted = slots[run.id, -run.slot_no].is_held
                expect(not granted, Rule.I4, f"{run.id} was granted its slot and nobody tells it")
        waiting = [run.id for run in runs if run.slot is Slot.WAITING]
        holds = any(run.slot is Slot.HELD for run in runs)
        dates = any(self.store._tables.limits.values())
        expect(holds or dates or not waiting, Rule.I4, f"{waiting} wait and nobody goes on")


@pytest.mark.timeout(300)
def test_one_goes_on_at_a_time_and_everybody_has_a_turn(monkeypatch):
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    for place in ("engine.slots", "engine.round"):
        monkeypatch.setattr(f"{place}.limit_of_runs", lambda workflow, key: "everybody\n")
    waited = 0
    for seed in range(40):
        world = OneByOne(scenario(seed))
        try:
            world.run()
        except BaseException as error:
            error.add_note(f"in the story of seed {seed}")
            raise
        waited += world.waited
        assert not [run.id for run in world._limited() if run.status is WorkflowStatus.RUNNING]
    assert waited > 100
