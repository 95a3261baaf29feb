"""Slots of limited tasks and runs: who waits, who holds one, and who is next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from engine.clock import Instant, after
from engine.errors import StoreUnavailable
from engine.model.execution import NEVER
from engine.model.limit import AT_ONCE, OF_RUNS, Terms, key_aside, limits_of
from engine.model.status import OPEN_TASK, Slot
from engine.store.batch import Batch
from engine.store.codec import storable
from engine.store.port import SlotTask, TaskKey
from engine.store.schema import limit_slot, task, task_limit, workflow

_slot = limit_slot.c
_IS_IT: Final = and_(_slot.workflow_id == bindparam("of_run"), _slot.seq == bindparam("of_seq"))
_IN_LINE: Final = (_slot.priority.desc(), _slot.since, _slot.seq, _slot.workflow_id)
#: Whose slot it is: a task, or with a seq below 0 a run, for as long as it stands in line with this very number.
_ITS_TASK: Final = and_(task.c.workflow_id == _slot.workflow_id, task.c.seq == _slot.seq)
_ITS_RUN: Final = and_(_slot.seq < 0, workflow.c.id == _slot.workflow_id, workflow.c.slot_no == -_slot.seq)
_HELD: Final = and_(_slot.granted_at > NEVER, _slot.released_at == NEVER)

#: Limits that are taken away at a time; the next look goes on.
_MOST_FORGOTTEN: Final = 1_000


class Slots:
    """The part of a transaction that keeps limits."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def lock_limits(self, names: Collection[str]) -> None:
        """See ``Transaction.lock_limits``."""
        wanted = {storable(name) for name in names}
        known = set(self._connection.scalars(select(task_limit.c.name).where(self._among(wanted))))
        missing = [{"name": name, "wake_at": NEVER} for name in sorted(wanted - known)]
        if missing:
            # Before any lock is held, so that nobody waits in a circle.
            self._connection.execute(self._batch.insert_missing(task_limit), missing)
        if len(_lock(self._connection, self._among(wanted))) < len(wanted):
            raise StoreUnavailable("a limit that nobody used has been taken away just now: the next try makes it anew")

    def slots_taken(self, limit: str) -> int:
        """See ``Transaction.slots_taken``."""
        query = select(func.count()).select_from(limit_slot)
        taken = query.where(_slot.limit_name == storable(limit), _slot.released_at == NEVER)
        return int(self._connection.scalar(taken) or 0)

    def _among(self, names: Collection[str]) -> ColumnElement[bool]:
        return self._batch.among(task_limit.c.name, names)

    def exchange_slots(
        self, waiting: Sequence[SlotTask], ended: Sequence[SlotTask], terms: Mapping[str, Terms], now: Instant
    ) -> tuple[TaskKey, ...]:
        """See ``Transaction.exchange_slots``."""
        if waiting:
            lines = sorted((_line(each) for each in waiting), key=lambda line: (line["workflow_id"], line["seq"]))
            self._make_way(waiting)
            self._connection.execute(self._batch.insert_missing(limit_slot), lines)
        self._take_back(ended, terms, now)
        return tuple(key for name in sorted(terms) for key in self._grant(storable(name), terms[name], now))

    def _make_way(self, waiting: Sequence[SlotTask]) -> None:
        """Put aside what has left its slot under one of these keys, where it counts for the rate as before.

        It was of a run that was removed since, and has begun anew under the same id.
        """
        keys = {(storable(each.workflow_id), each.seq) for each in waiting}
        query = select(_slot.workflow_id, _slot.seq, _slot.granted_at).where(_slot.released_at > NEVER)
        found = self._connection.execute(query.where(self._batch.among(_slot.workflow_id, {run for run, _ in keys})))
        aside = [
            {"of_run": run, "of_seq": seq, "aside": key_aside(run, Instant(granted_at))}
            for run, seq, granted_at in found
            if (run, seq) in keys
        ]
        if aside:
            self._connection.execute(update(limit_slot).where(_IS_IT).values(workflow_id=bindparam("aside")), aside)

    def _take_back(self, ended: Sequence[SlotTask], terms: Mapping[str, Terms], now: Instant) -> None:
        counted = [_key(each) for each in ended if terms[each.limit].starts is not None]
        if counted:
            # A start counts for the rate until it has left the window, however soon the task has ended.
            leaving = update(limit_slot).where(_IS_IT, _HELD).values(released_at=now)
            self._connection.execute(leaving, counted)
        if ended:
            gone = delete(limit_slot).where(_IS_IT, _slot.released_at == NEVER)
            self._connection.execute(gone, [_key(each) for each in ended])

    def _grant(self, name: str, terms: Terms, now: Instant) -> list[TaskKey]:
        """Give free slots to the first in line, and set the date on which there will be more by itself."""
        opens = terms.window_opens(now)
        held, counted, started, first = self._use(name, opens)
        if counted > held:
            spent = and_(_slot.limit_name == name, _slot.released_at > NEVER)
            left = and_(spent, _slot.granted_at <= opens) if terms.starts is not None else spent
            self._connection.execute(delete(limit_slot).where(left))
        room = terms.room(held, started)
        line = select(_slot.workflow_id, _slot.seq).where(_slot.limit_name == name, _slot.granted_at == NEVER)
        next_ones = self._connection.execute(line.order_by(*_IN_LINE).limit(room + 1)).all()
        granted = [(run, seq) for run, seq in next_ones[:room]]
        if granted:
            keys = [{"of_run": run, "of_seq": seq} for run, seq in granted]
            self._connection.execute(update(limit_slot).where(_IS_IT).values(granted_at=now), keys)
        rings = NEVER
        if len(next_ones) > room:
            rings = terms.next_look(now, granted=len(granted), started=started, first=first)
        other = and_(task_limit.c.name == name, task_limit.c.wake_at != rings)
        self._connection.execute(update(task_limit).where(other).values(wake_at=rings))
        return granted

    def _use(self, name: str, opens: Instant) -> tuple[int, int, int, Instant]:
        """Return four things about a limit's slots.

        How many are held, how many are or were, how many were granted since ``opens``, and when the first of these.
        """
        within = _slot.granted_at > opens
        query = select(
            func.coalesce(func.sum(case((_slot.released_at == NEVER, 1), else_=0), type_=BigInteger()), 0),
            func.count(),
            func.coalesce(func.sum(case((within, 1), else_=0), type_=BigInteger()), 0),
            func.coalesce(func.min(case((within, _slot.granted_at))), NEVER),
        ).where(_slot.limit_name == name, _slot.granted_at > NEVER)
        held, counted, started, first = self._connection.execute(query).one()
        return int(held), int(counted), int(started), Instant(int(first))

    def unsent_grants(self, limits: Collection[str] | None, before: Instant | None) -> tuple[TaskKey, ...]:
        """See ``Transaction.unsent_grants``."""
        query = (
            select(_slot.workflow_id, _slot.seq)
            .join_from(task_limit, limit_slot, _slot.limit_name == task_limit.c.name)
            .outerjoin(task, _ITS_TASK)
            .outerjoin(workflow, _ITS_RUN)
            .where(_HELD, or_(task.c.slot == Slot.WAITING.value, workflow.c.slot == Slot.WAITING.value))
            .order_by(*_IN_LINE)
        )
        if before is not None:
            query = query.where(_slot.granted_at <= before)
        if limits is not None:
            query = query.where(self._among(limits))
        return tuple((run, seq) for run, seq in self._connection.execute(query))

    def ring_limits(self, now: Instant, lease_seconds: float) -> tuple[TaskKey, ...]:
        """See ``Transaction.ring_limits``."""
        due = select(task_limit.c.name).where(task_limit.c.wake_at > NEVER, task_limit.c.wake_at <= now)
        names = self._connection.scalars(due.order_by(task_limit.c.name).with_for_update(skip_locked=True)).all()
        rung: list[TaskKey] = []
        for name in names:
            line = select(_slot.workflow_id, _slot.seq).where(_slot.limit_name == name, _slot.granted_at == NEVER)
            first: Any = self._connection.execute(line.order_by(*_IN_LINE).limit(1)).first()
            date = NEVER if first is None else after(now, lease_seconds)
            self._connection.execute(update(task_limit).where(task_limit.c.name == name).values(wake_at=date))
            if first is not None:
                rung.append((first[0], first[1]))
        return tuple(rung)

    def mend_slots(self) -> int:
        """See ``Transaction.mend_slots``."""
        closed = or_(task.c.status.is_(None), task.c.status.not_in([each.value for each in OPEN_TASK]))
        ended = or_(workflow.c.slot.is_(None), workflow.c.slot == Slot.NONE.value)
        query = (
            select(_slot.workflow_id, _slot.seq, _slot.limit_name)
            .join_from(task_limit, limit_slot, _slot.limit_name == task_limit.c.name)
            .outerjoin(task, _ITS_TASK)
            .outerjoin(workflow, _ITS_RUN)
            .where(or_(and_(_HELD, _slot.seq > 0, closed), and_(_slot.seq < 0, ended)))
        )
        strays = self._connection.execute(query).all()
        waits = select(_slot.seq).where(_slot.limit_name == task_limit.c.name, _slot.granted_at == NEVER)
        idle = select(task_limit.c.name).where(task_limit.c.wake_at == NEVER, waits.exists())
        names = {name for _, _, name in strays} | set(self._connection.scalars(idle))
        if names:
            ring_at_once(self._connection, self._batch, names)
        if strays:
            keys = [{"of_run": run, "of_seq": seq} for run, seq, _ in strays]
            self._connection.execute(delete(limit_slot).where(_IS_IT), keys)
        self._forget_idle_limits()
        return len(strays)

    def _forget_idle_limits(self) -> None:
        """Take away limits for runs under which nobody stands: keys come from data, and there is no end of them."""
        stands = select(_slot.seq).where(_slot.limit_name == task_limit.c.name)
        of_runs = task_limit.c.name.contains(OF_RUNS, autoescape=True)
        idle = select(task_limit.c.name).where(of_runs, ~stands.exists()).order_by(task_limit.c.name)
        names = self._connection.scalars(idle.limit(_MOST_FORGOTTEN).with_for_update(skip_locked=True)).all()
        if names:
            # Looked at once more: somebody may have come between the look and the lock.
            gone = delete(task_limit).where(self._among(names), ~stands.exists())
            self._connection.execute(gone)


def ring_at_once(connection: Connection, batch: Batch, names: Collection[str]) -> None:
    """Have those of these limits that exist looked at now."""
    found = batch.among(task_limit.c.name, names)
    if _lock(connection, found):
        connection.execute(update(task_limit).where(found).values(wake_at=AT_ONCE))


def ring_those_of(connection: Connection, workflow_name: str) -> None:
    """Have every limit for runs of this workflow looked at now."""
    found = task_limit.c.name.startswith(limits_of(storable(workflow_name)), autoescape=True)
    if _lock(connection, found):
        connection.execute(update(task_limit).where(found).values(wake_at=AT_ONCE))


def _lock(connection: Connection, which: ColumnElement[bool]) -> Sequence[str]:
    """Wait until nobody else changes these limits, one after the other in the order of their names."""
    locking = select(task_limit.c.name).where(which).order_by(task_limit.c.name)
    return connection.scalars(locking.with_for_update()).all()


def _key(each: SlotTask) -> dict[str, object]:
    return {"of_run": storable(each.workflow_id), "of_seq": each.seq}


def _line(each: SlotTask) -> dict[str, object]:
    return {
        "workflow_id": storable(each.workflow_id),
        "seq": each.seq,
        "limit_name": storable(each.limit),
        "priority": each.priority,
        "since": each.since,
        "granted_at": NEVER,
        "released_at": NEVER,
    }
