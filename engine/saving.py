"""What a decision writes: the rows of its run, the note of the events that it has applied, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.clock import Instant
from engine.decider.decide import Decision
from engine.decider.residents import Resident
from engine.decider.unconfirmed import entry, still_open
from engine.model.command import Announce, Command
from engine.model.execution import Workflow
from engine.past import removed
from engine.store.port import Save, Transaction
from engine.wire.news import Changed


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
        version_no=loaded.version_no + 1,
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


def changed(workflow: Workflow, commands: Iterable[Command], save: Save | None) -> Changed:
    """Return the news of a run as it is stored now; the same when its commands have to go out once more."""
    moved = any(isinstance(command, Announce) for command in commands)
    gone = save is not None and save.removed is not None
    return Changed(workflow.id, workflow.name, workflow.version_no, workflow.status.value, moved or gone)
