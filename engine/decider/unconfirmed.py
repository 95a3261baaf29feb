"""What a run's row remembers about events whose commands the broker may not have seen yet.

A crash between the commit and the broker's confirm leaves an event that is applied and will be delivered again. The
row therefore carries, for each event of its last batches, references to what it commanded: a letter for the kind and
what the rows do not know. From these the commands are built again; payloads are never repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, assert_never

import msgspec

from engine.clock import SECOND, Instant
from engine.model.command import (
    Abandon,
    Alert,
    Announce,
    AskChild,
    AskRun,
    Cancel,
    Command,
    Dispatch,
    Notify,
    PassOn,
    Reply,
    RerunChild,
    RetryChild,
    ReviveParent,
    SeeToSlot,
    StartChild,
    StartFailureWorkflow,
    TellParent,
    WakeSoon,
)
from engine.model.payload import Json
from engine.model.request import Outcome, Request

#: An event that a row remembers: its id and when it was applied, by time that counts (``COUNTED``).
Note: TypeAlias = tuple[str, Instant]

#: Commands that are about one task: their letter stands before its seq.
_OF_A_TASK: Final[dict[str, type[Dispatch | StartChild | Cancel | RetryChild | AskChild | SeeToSlot | AskRun]]] = {
    "d": Dispatch,
    "c": StartChild,
    "x": Cancel,
    "y": RetryChild,
    "q": AskChild,
    "l": SeeToSlot,
    "k": AskRun,
}

#: Commands of which a run has one at a time.
_OF_THE_RUN: Final[dict[str, type[StartFailureWorkflow | ReviveParent | WakeSoon]]] = {
    "f": StartFailureWorkflow,
    "p": ReviveParent,
    "w": WakeSoon,
}

_LETTER: Final[dict[type[Command], str]] = {
    kind: letter for letter, kind in (*_OF_A_TASK.items(), *_OF_THE_RUN.items())
}

#: How the ids of news end that the road itself makes: of messages that can never be sent, of runs that it gives up.
MADE_ON_THE_ROAD = ("/unsendable", "/refused", "/given up")

#: Microseconds after which an entry that nobody claimed is dropped; must exceed any broker's time to redeliver.
KEPT = 600 * SECOND

#: Of the microseconds between two saves, so many count at most: a clock that leaps must not make an entry old, nor must
#: a process that stands still between its decision and the commit. So ten more saves at least carry it over.
COUNTED = 60 * SECOND


def entry(event_id: str, at: Instant, commands: Sequence[Command]) -> list[Json]:
    """Return the note about one event: its id, when it was applied, and references to its commands."""
    return [event_id, at, [_reference(command) for command in commands]]


def recall(unconfirmed: Json, event_id: str) -> tuple[Command, ...] | None:
    """Return the commands of an event that the row remembers, or None when it does not know the event.

    What followed on the road itself, while the event was in hand, is delivered again by nobody: so it comes along.
    """
    if all(known != event_id for known, _, _ in unconfirmed):
        return None
    return tuple(
        _command(reference)
        for known, _, references in unconfirmed
        if known == event_id or known.endswith(MADE_ON_THE_ROAD)
        for reference in references
    )


def commands_in(unconfirmed: Json) -> Iterator[Command]:
    """Yield every command that the row remembers."""
    for _, _, references in unconfirmed:
        yield from map(_command, references)


def notes(unconfirmed: Json) -> Iterator[Note]:
    """Yield which events the row remembers, and when each was applied: the same one may have been twice."""
    for event_id, at, _ in unconfirmed:
        yield event_id, Instant(at)


def still_open(unconfirmed: Json, confirmed: frozenset[str], saved_at: Instant, now: Instant) -> Iterator[Json]:
    """Yield the notes to carry over: those neither confirmed to this process nor too old.

    ``saved_at`` is when the row was saved last. Time since then that does not count is added to the notes' moments.
    """
    passed = now - saved_at
    uncounted = passed - min(max(passed, 0), COUNTED)
    for event_id, at, references in unconfirmed:
        moment = at + uncounted
        if event_id not in confirmed and now - moment < KEPT:
            yield [event_id, moment, references]


def _reference(command: Command) -> Json:  # noqa: C901  one arm each
    match command:
        case Dispatch() | StartChild() | Cancel() | RetryChild() | AskChild() | SeeToSlot() | AskRun():
            return f"{_LETTER[type(command)]}{command.seq}"
        case StartFailureWorkflow() | WakeSoon() | ReviveParent():
            return _LETTER[type(command)]
        case TellParent():
            if command.again:
                return ["e", command.task_id, command.again]
            return f"{'s' if command.started else 'e'}{command.task_id}"
        case Announce():
            return f"a{command.seq}:{command.status}"
        case Alert():
            return ["o", command.seq, command.reason]
        case RerunChild():
            return ["u", command.seq, dict(command.arguments)]
        case Abandon():
            return ["g", command.number, command.child_id]
        case Notify():
            return ["n", command.seq, command.event, command.at, command.payload]
        case PassOn():
            return ["h", msgspec.to_builtins(command.request)]
        case Reply():
            return ["r", command.to, command.reply_id, msgspec.to_builtins(command.outcome)]
        case _:
            assert_never(command)


def _command(reference: Json) -> Command:  # noqa: C901  one arm each
    kind, rest = reference[0], reference[1:]
    if kind in _OF_A_TASK:
        return _OF_A_TASK[kind](int(rest))
    if kind in _OF_THE_RUN:
        return _OF_THE_RUN[kind]()
    match kind:
        case "s" | "e":
            task_id, again = (rest, "") if isinstance(rest, str) else rest
            return TellParent(task_id, started=kind == "s", again=again)
        case "a":
            seq, _, status = rest.partition(":")
            return Announce(int(seq), status)
        case "o":
            seq, reason = rest
            return Alert(seq, reason)
        case "u":
            seq, arguments = rest
            return RerunChild(seq, arguments)
        case "g":
            number, child_id = rest
            return Abandon(number, child_id)
        case "n":
            return Notify(*rest)
        case "h":
            return PassOn(msgspec.convert(rest[0], Request))
        case "r":
            to, reply_id, outcome = rest
            return Reply(to, reply_id, msgspec.convert(outcome, Outcome))
        case _:
            # A newer version has commanded what this one does not know: no reason to end the run, only to look again.
            return WakeSoon()
