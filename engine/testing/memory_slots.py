"""Slots of limited tasks in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from engine.clock import Instant, after
from engine.model.execution import NEVER
from engine.model.limit import AT_ONCE, Terms, is_of_runs, key_aside, limits_of
from engine.model.status import Slot
from engine.store.port import SlotTask, TaskKey

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class SlotRow(Struct, frozen=True):
    """A task under a limit: it waits while ``granted_at`` is NEVER, and holds its slot until it is released."""

    task: SlotTask
    granted_at: Instant = NEVER
    released_at: Instant = NEVER

    @property
    def is_waiting(self) -> bool:
        """True while it stands in line."""
        return self.granted_at == NEVER

    @property
    def is_held(self) -> bool:
        """True while it counts among those that are out."""
        return self.granted_at != NEVER and self.released_at == NEVER


class MemorySlots:
    """The part of a transaction that keeps limits."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    def lock_limits(self, names: Collection[str]) -> None:
        """See ``Transaction.lock_limits``; transactions follow one another anyway."""
        for name in names:
            if name not in self._tables.limits:
                self._journal.put(self._tables.limits, name, NEVER)

    def slots_taken(self, limit: str) -> int:
        """See ``Transaction.slots_taken``."""
        rows = (row for row in self._tables.slots.values() if row.task.limit == limit)
        return sum(row.released_at == NEVER for row in rows)

    def exchange_slots(
        self, waiting: Sequence[SlotTask], ended: Sequence[SlotTask], terms: Mapping[str, Terms], now: Instant
    ) -> tuple[TaskKey, ...]:
        """See ``Transaction.exchange_slots``."""
        slots, journal = self._tables.slots, self._journal
        for each in waiting:
            before = slots.get((each.workflow_id, each.seq))
            if before is not None and before.released_at != NEVER:
                # It was of a run that was removed since, and has begun anew under the same id; it counts as before.
                journal.put(slots, (key_aside(each.workflow_id, before.granted_at), each.seq), before)
            if before is None or before.released_at != NEVER:
                journal.put(slots, (each.workflow_id, each.seq), SlotRow(each))
        for each in ended:
            key = (each.workflow_id, each.seq)
            row = slots.get(key)
            if row is not None and row.is_held and terms[each.limit].starts is not None:
                journal.put(slots, key, replace(row, released_at=now))
            elif row is not None and row.released_at == NEVER:
                journal.drop(slots, key)
        return tuple(key for name in sorted(terms) for key in self._grant(name, terms[name], now))

    def _grant(self, name: str, terms: Terms, now: Instant) -> list[TaskKey]:
        slots, journal, opens = self._tables.slots, self._journal, terms.window_opens(now)
        of_limit = [(key, row) for key, row in slots.items() if row.task.limit == name]
        for key, row in of_limit:
            if row.released_at != NEVER and (terms.starts is None or row.granted_at <= opens):
                journal.drop(slots, key)
        held = sum(row.is_held for _, row in of_limit)
        starts = [row.granted_at for _, row in of_limit if row.granted_at != NEVER and row.granted_at > opens]
        line, room = self._line(name), terms.room(held, len(starts))
        for key in line[:room]:
            journal.put(slots, key, replace(slots[key], granted_at=now))
        rings, granted = NEVER, len(line[:room])
        if len(line) > room:
            rings = terms.next_look(now, granted=granted, started=len(starts), first=min(starts, default=NEVER))
        journal.put(self._tables.limits, name, rings)
        return line[:room]

    def _line(self, name: str) -> list[TaskKey]:
        waiting = [(key, row.task) for key, row in self._tables.slots.items() if _waits(row, name)]
        waiting.sort(key=lambda each: (-each[1].priority, each[1].since, each[1].seq, each[1].workflow_id))
        return [key for key, _ in waiting]

    def unsent_grants(self, limits: Collection[str] | None, before: Instant | None) -> tuple[TaskKey, ...]:
        """See ``Transaction.unsent_grants``."""
        return tuple(
            key
            for key, row, slot in self._held()
            if (limits is None or row.task.limit in limits)
            and (before is None or row.granted_at <= before)
            and slot is Slot.WAITING
        )

    def _held(self) -> Iterator[tuple[TaskKey, SlotRow, Slot]]:
        """Yield every slot that is held, with what the row of its task or run says of it."""
        for key, row in list(self._tables.slots.items()):
            if row.is_held:
                yield key, row, self._said(key)

    def _said(self, key: TaskKey) -> Slot:
        run, seq = key
        if seq < 0:
            workflow = self._tables.workflows.get(run)
            return workflow.slot if workflow is not None and workflow.slot_no == -seq else Slot.NONE
        task = self._tables.tasks.get(run, {}).get(seq)
        # One that had its slot before a version knew of slots, or is about to be told, is out all the same.
        return Slot.NONE if task is None or task.status.is_terminal else task.slot or Slot.HELD

    def ring_limits(self, now: Instant, lease_seconds: float) -> tuple[TaskKey, ...]:
        """See ``Transaction.ring_limits``."""
        rung = []
        for name, wake_at in sorted(self._tables.limits.items()):
            if wake_at == NEVER or wake_at > now:
                continue
            line = self._line(name)
            self._journal.put(self._tables.limits, name, after(now, lease_seconds) if line else NEVER)
            rung += line[:1]
        return tuple(rung)

    def mend_slots(self) -> int:
        """See ``Transaction.mend_slots``."""
        strays = [(key, row) for key, row, slot in self._held() if slot is Slot.NONE]
        of_runs = [(key, row) for key, row in self._tables.slots.items() if key[1] < 0 and row.is_waiting]
        strays += [(key, row) for key, row in of_runs if self._said(key) is Slot.NONE]
        idle = {row.task.limit for row in self._tables.slots.values() if row.is_waiting}
        self._ring_at_once({row.task.limit for _, row in strays})
        self._ring_at_once({name for name in idle if self._tables.limits.get(name) == NEVER})
        for key, _ in strays:
            self._journal.drop(self._tables.slots, key)
        stands = {row.task.limit for row in self._tables.slots.values()}
        for name in [name for name in self._tables.limits if is_of_runs(name) and name not in stands]:
            self._journal.drop(self._tables.limits, name)
        return len(strays)

    def _ring_those_of(self, workflow: str) -> None:
        self._ring_at_once([name for name in self._tables.limits if name.startswith(limits_of(workflow))])

    def _ring_at_once(self, names: Collection[str]) -> None:
        for name in names:
            if name in self._tables.limits:
                self._journal.put(self._tables.limits, name, AT_ONCE)


def _waits(row: SlotRow, name: str) -> bool:
    return row.is_waiting and row.task.limit == name
