"""Stories in which most tasks are limited and limits change: slots and tasks say the same, and no slot lies idle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import structlog

from engine.clock import after
from engine.decider.validate import check_task
from engine.model.execution import Task
from engine.model.limit import Terms, terms_of
from engine.model.status import Slot
from engine.store.port import LoggedRequest, Rows, Save
from engine.testing.memory_slots import SlotRow
from tests.simulation.processes import Process
from tests.simulation.rules import Rule, expect
from tests.simulation.scenario import Scenario, scenario
from tests.simulation.workflows import TASK_DEF, Step
from tests.simulation.world import World

#: Beside those that the stories have anyway.
TIGHTER: dict[str, Step] = {
    "work": {"concurrentExecLimit": 2},
    "quick": {"concurrentExecLimit": 1},
    "linear": {"rateLimitPerFrequency": 2, "rateLimitFrequencyInSeconds": 5, "concurrentExecLimit": 1},
}

#: Steps after which the limit of ``work`` changes.
CHANGE = 61


class LimitedWorld(World):
    """A world with tighter limits, looked at after every commit."""

    def __init__(self, told: Scenario) -> None:
        super().__init__(told)
        #: The most that ``work`` has been limited to so far: lowering it takes nothing back.
        self._most = 2
        self._committed = self.invariants.committed
        self.invariants.committed = self._look  # type: ignore[method-assign]

    def _register(self) -> None:
        super()._register()
        for name, limits in TIGHTER.items():
            self._define(name, limits)

    def _define(self, name: str, limits: Step) -> None:
        with self.store.transaction() as transaction:
            transaction.register_tasks([check_task({**TASK_DEF[name], **limits})])

    def _happen(self) -> bool:
        if self.step % CHANGE == CHANGE - 1:
            limit = 1 + self.step // CHANGE % 3
            self._most = max(self._most, limit)
            self._define("work", {"concurrentExecLimit": limit})
        return super()._happen()

    def _terms(self, name: str) -> Terms:
        return terms_of(check_task({**TASK_DEF[name], **TIGHTER.get(name, {})}))

    def _slots(self) -> list[tuple[SlotRow, Task]]:
        tables = self.store._tables
        found = [(slot, tables.tasks[run].get(seq)) for (run, seq), slot in tables.slots.items()]
        for slot, task in found:
            gone = bool(slot.released_at)
            expect(task is not None or gone, Rule.LIMITS, f"{slot.task} is no part of its flow and has its slot")
        return [(slot, task) for slot, task in found if task is not None]

    def _look(
        self, process: Process, saved: Sequence[tuple[Save, Rows | None]], logged: Sequence[LoggedRequest]
    ) -> None:
        self._committed(process, saved, logged)
        held = Counter(slot.task.limit for slot, _ in self._slots() if slot.is_held)
        for name, number in held.items():
            most = self._most if name == "work" else self._terms(name).at_once
            expect(most is None or number <= most, Rule.LIMITS, f"{number} of {name} are out")
        for slot, task in self._slots():
            said = (slot.is_waiting, slot.is_held, bool(slot.released_at))
            told = {Slot.WAITING: not slot.released_at, Slot.HELD: slot.is_held, Slot.NONE: bool(slot.released_at)}
            expect(told[task.slot], Rule.LIMITS, f"{task.id} says {task.slot!r} and its slot {said}")
        for rows in self.store._tables.tasks.values():
            for task in rows.values():
                self._look_at(task)
        self._look_at_starts()

    def _look_at(self, task: Task) -> None:
        key = (task.workflow_id, task.seq)
        expect(task.slot is Slot.NONE or key in self.store._tables.slots, Rule.LIMITS, f"{task.id} is in no line")
        out = task.status.is_open and task.dispatched and bool(task.queue)
        limited = task.name in TASK_DEF and self._terms(task.name).is_limited
        expect(task.slot is Slot.HELD or not (out and limited), Rule.LIMITS, f"{task.id} went out without a slot")

    def _look_at_starts(self) -> None:
        starts: dict[str, list[int]] = {}
        for slot, _ in self._slots():
            if slot.granted_at:
                starts.setdefault(slot.task.limit, []).append(slot.granted_at)
        for name, moments in starts.items():
            terms = self._terms(name)
            for first, late in zip(sorted(moments), sorted(moments)[terms.starts or len(moments) :], strict=False):
                expect(late >= after(first, terms.seconds), Rule.LIMITS, f"too many of {name} within {terms.seconds} s")


@pytest.mark.timeout(300)
def test_slots_and_tasks_say_the_same_and_no_slot_lies_idle():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    for seed in range(40):
        world = LimitedWorld(scenario(seed))
        try:
            world.run()
        except BaseException as error:
            error.add_note(f"in the story of seed {seed}")
            raise
