"""The doctor on who listens: what nobody takes, and what waits too long."""

from __future__ import annotations

import pytest

from engine.clock import after
from engine.services.listening_checkup import _events, _notices
from engine.store.notice_port import HeldNotice
from engine.testing.clock import START

HELD = HeldNotice(
    id="a",
    sink="https://ann:secret@here.example/x",
    topic="workflow.completed.greet",
    document={},
    held_since=START,
    due_at=START,
    attempts=9,
    reason="it answered 503",
)


@pytest.mark.parametrize(
    ("kinds", "handlers", "waiting", "state", "remedy"),
    [
        ([], 0, 0, "ok", None),
        (["listener"], 3, 10, "ok", None),
        ([], 1, 0, "warning", "baton listener"),
        ([], 0, 1, "warning", "baton listener"),
        (["listener"], 1, 2_000, "warning", "another 'baton listener'"),
    ],
)
def test_event_handlers_need_a_listener_that_keeps_up(kinds, handlers, waiting, state, remedy):
    finding = _events(kinds, handlers, waiting)
    assert finding.state == state
    assert remedy is None or remedy in finding.remedy


@pytest.mark.parametrize(
    ("kinds", "waiting", "held", "state", "remedy"),
    [
        ([], 0, 0, "ok", None),
        ([], 5, 0, "warning", "baton notifier"),
        ([], 0, 1, "warning", "baton notifier"),
        (["notifier"], 5, 0, "ok", None),
        (["notifier"], 5, 1, "warning", "baton notice list"),
        (["notifier"], 2_000, 0, "warning", "another 'baton notifier'"),
    ],
)
def test_notices_need_a_notifier_and_sinks_that_take_them(kinds, waiting, held, state, remedy):
    finding = _notices(kinds, waiting, held, (HELD,) * held, after(START, 600))
    assert finding.state == state
    assert remedy is None or remedy in finding.remedy


def test_the_notice_that_has_waited_longest_is_told_without_its_password():
    what = _notices(["notifier"], 0, 1, (HELD,), after(START, 600)).what
    assert "10 min: https://ann:***@here.example/x: it answered 503" in what
