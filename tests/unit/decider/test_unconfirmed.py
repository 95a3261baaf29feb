"""What a run's row remembers of commands is enough to give them again."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from engine.clock import Instant, after
from engine.decider.unconfirmed import COUNTED, KEPT, entry, recall, still_open
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
from engine.model.request import Outcome, Request

NOW = Instant(1_000_000)
COMMANDS = (
    Dispatch(7),
    StartChild(8),
    Cancel(9),
    RetryChild(10),
    AskChild(11),
    SeeToSlot(12),
    AskRun(16),
    PassOn(Request(event_id="e/1", workflow_id="kid", verb="signal", arguments={"way": {"hops": 1}}, may_repeat=True)),
    ReviveParent(),
    StartFailureWorkflow(),
    WakeSoon(),
    RerunChild(13, {"reRunFromTaskId": "kid.2", "taskInput": {"x": [1]}}),
    Abandon(14),
    Abandon(15, "kid"),
    Announce(0, "COMPLETED"),
    Alert(3, "late: Größe"),
    Notify(0, "COMPLETED", NOW),
    Notify(3, "onStart", NOW, {"type": "audit", "payload": {"x": [1]}, "number": 0}),
    TellParent("parent.3"),
    TellParent("parent.3", started=True),
    TellParent("parent.3", again="/a request"),
    Reply("replies", "r1", Outcome(granted=False, code=409, message="no", result={"a": [1]})),
    Reply("replies", None, Outcome(granted=True)),
)


def stored(*notes):
    """Return notes as they come back from the database."""
    return msgspec.json.decode(msgspec.json.encode(list(notes)))


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_comes_back_as_it_was(command):
    assert recall(stored(entry("e", NOW, [command])), "e") == (command,)


def test_no_kind_of_command_is_forgotten_here():
    assert {type(command) for command in COMMANDS} == set(get_args(Command))


def test_an_event_that_commanded_nothing_is_known_all_the_same():
    assert recall(stored(entry("e", NOW, [])), "e") == ()
    assert recall(stored(entry("e", NOW, [])), "another") is None


def test_notes_are_carried_over_until_they_are_confirmed_or_too_old():
    notes = stored(entry("confirmed", NOW, []), entry("old", NOW, []), entry("open", Instant(NOW + 1), []))
    saved, now = Instant(NOW + KEPT - COUNTED), Instant(NOW + KEPT)
    assert [note[0] for note in still_open(notes, frozenset({"confirmed"}), saved, now)] == ["open"]


@pytest.mark.parametrize("leap", [KEPT, 1_000 * KEPT, -KEPT])
def test_a_clock_that_leaps_between_two_saves_makes_no_note_old(leap):
    notes, saved = stored(entry("open", NOW, [])), NOW
    for _ in range(KEPT // COUNTED - 1):
        now = Instant(saved + leap)
        notes, saved = list(still_open(notes, frozenset(), saved, now)), now
    assert [note[0] for note in notes] == ["open"]


def test_a_note_of_a_run_that_is_seldom_saved_leaves_it_with_the_tenth_save():
    notes, saved, kept = stored(entry("open", NOW, [])), NOW, 0
    while notes:
        now = after(saved, 86_400)
        notes, saved, kept = list(still_open(notes, frozenset(), saved, now)), now, kept + 1
    assert kept == 10


def test_a_command_that_only_a_newer_version_knows_leads_to_another_look_at_the_run():
    assert recall([["e", NOW, ["d3", "?7"]]], "e") == (Dispatch(3), WakeSoon())
