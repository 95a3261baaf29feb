"""What a decision writes: the rows of its run, the note of the events that it has applied, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from engine.clock import Instant, after
from engine.decider.decide import Decision
from engine.decider.residents import Resident
from engine.decider.unconfirmed import entry, still_open
from engine.model.command import Announce, Command, SeeToSlot
from engine.model.execution import NEVER, Workflow
from engine.past import removed
from engine.store.port import Save, Transaction
from engine.wire.message import Message
from engine.wire.nearer import encode_nearer
from engine.wire.news import Changed, encode_news

#: Seconds within which timekeepers look at limits whose slots were exchanged.
_LIMITS_SECONDS: Final = 0.2


def save_of(
    transaction: Transaction, resident: Resident, decision: Decision, now: Instant, *, new: bool = False
) -> Save | None:
    """Return what is to be written, or None when the decision changes nothing."""
    loaded = resident.run.workflow
    noted = [entry(event_id, now, decision.commands[event_id]) for event_id in decision.to_be_known()]
    if not new and not noted and decision.is_empty:
        return None
    carried = still_open(loaded.unconfirmed, frozenset(resident.confirmed), loaded.updated_at, now)
    workflow = msgspec.structs.replace(
        decision.workflow,
        # A run that has the id of a removed one begins beyond all versions of that one, so that what a process still
        # has of the first is never taken for the second.
        version_no=now if new else loaded.version_no + 1,
        updated_at=now,
        unconfirmed=[*carried, *noted],
    )
    return Save(
        workflow=workflow,
        loaded_version=None if new else loaded.version_no,
        inserted=decision.inserted,
        updated=decision.updated,
        before=loaded,
        tasks_before=resident.run.tasks,
        earlier=decision.earlier,
        forgotten=decision.forgotten,
        removed=removed(transaction, decision, now),
    )


class Stored(Struct, frozen=True):
    """A run as it is stored now, what its decision commands, and how it was saved, if anything had changed."""

    workflow: Workflow
    commands: Sequence[Command]
    save: Save | None


def tidings(stored: Sequence[Stored], now: Instant, pause_seconds: float) -> Iterator[Message]:
    """Yield what is told of runs that were stored, to whoever listens: which they are, and dates that are near.

    Timekeepers look every ``pause_seconds`` by themselves.
    """
    if not stored:
        return
    yield encode_news([_changed(each) for each in stored])
    near = [date for each in stored if (date := _near_date(each, now, pause_seconds)) is not None]
    if near:
        yield encode_nearer(min(near))


def _changed(stored: Stored) -> Changed:
    """Return the news of a run as it is stored now; the same when its commands have to go out once more."""
    workflow, save = stored.workflow, stored.save
    moved = any(isinstance(command, Announce) for command in stored.commands)
    gone = save is not None and save.removed is not None
    return Changed(workflow.id, workflow.name, workflow.version_no, workflow.status.value, moved or gone)


def _near_date(stored: Stored, now: Instant, pause_seconds: float) -> Instant | None:
    """Return the date that timekeepers have to be told of, None where they will find it by themselves in time.

    Twice their pause leaves room for a look that comes late.
    """
    if any(isinstance(command, SeeToSlot) for command in stored.commands):
        return after(now, _LIMITS_SECONDS)
    save = stored.save
    if save is None or save.before is None or save.workflow.wake_at in (NEVER, save.before.wake_at):
        return None
    date = save.workflow.wake_at
    return date if date <= after(now, 2 * pause_seconds) else None
