"""What a run's row remembers about events whose commands the broker may not have seen yet.

A crash between the commit and the broker's confirm leaves an event that is applied and will be delivered again. The
row therefore carries, for each event of its last batches, references to what it commanded: a letter for the kind and
what the rows do not know. From these the commands are built again; payloads are never repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

import msgspec

from engine.clock import SECOND, Instant
from engine.errors import BatonError
from engine.model.command import (
    Announce,
    Cancel,
    Command,
    Dispatch,
    Reply,
    StartChild,
    StartFailureWorkflow,
    TellParent,
    WakeSoon,
)
from engine.model.payload import Json
from engine.model.request import Outcome

#: Microseconds after which an entry that nobody claimed is dropped; must exceed any broker's time to redeliver.
KEPT = 600 * SECOND


def entry(event_id: str, at: Instant, commands: Sequence[Command]) -> list[Json]:
    """Return the note about one event: its id, when it was applied, and references to its commands."""
    return [event_id, at, [_reference(command) for command in commands]]


def recall(unconfirmed: Json, event_id: str) -> tuple[Command, ...] | None:
    """Return the commands of an event that the row remembers, or None when it does not know the event."""
    for known, _, references in unconfirmed:
        if known == event_id:
            return tuple(_command(reference) for reference in references)
    return None


def still_open(unconfirmed: Json, confirmed: frozenset[str], now: Instant) -> Iterator[Json]:
    """Yield the notes to carry over: those neither confirmed to this process nor too old."""
    for note in unconfirmed:
        if note[0] not in confirmed and now - note[1] < KEPT:
            yield note


def _reference(command: Command) -> Json:
    match command:
        case Dispatch():
            return f"d{command.seq}"
        case StartChild():
            return f"c{command.seq}"
        case Cancel():
            return f"x{command.seq}"
        case TellParent():
            return f"{'s' if command.started else 'e'}{command.task_id}"
        case StartFailureWorkflow():
            return "f"
        case Announce():
            return f"a{command.seq}:{command.status}"
        case WakeSoon():
            return "w"
        case Reply():
            return ["r", command.to, command.reply_id, msgspec.to_builtins(command.outcome)]
        case _:
            assert_never(command)


def _command(reference: Json) -> Command:
    if isinstance(reference, list | tuple):
        _, to, reply_id, outcome = reference
        return Reply(to, reply_id, msgspec.convert(outcome, Outcome))
    kind, rest = reference[0], reference[1:]
    match kind:
        case "d":
            return Dispatch(int(rest))
        case "c":
            return StartChild(int(rest))
        case "x":
            return Cancel(int(rest))
        case "s" | "e":
            return TellParent(rest, started=kind == "s")
        case "f":
            return StartFailureWorkflow()
        case "a":
            seq, _, status = rest.partition(":")
            return Announce(int(seq), status)
        case "w":
            return WakeSoon()
        case _:
            raise BatonError(f"Unknown reference {reference!r} among the unconfirmed commands of a run")
