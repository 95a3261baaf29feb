"""The cleaner has what ended long ago removed, parents before their children, and forgets old archives."""

from __future__ import annotations

import pytest

from engine.config import Settings
from engine.services.cleaner import Cleaner
from engine.testing.harness import Harness

DAY = 86_400.0
NOOP = {"name": "n", "taskReferenceName": "n", "type": "NOOP"}
CHILD = {"name": "c", "taskReferenceName": "c", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "kid"}}
WAIT = {"name": "w", "taskReferenceName": "w", "type": "WAIT"}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    harness.register({"name": "kid", "tasks": [NOOP]}, {"name": "short", "tasks": [NOOP]})
    harness.register({"name": "family", "tasks": [CHILD, WAIT]})
    return harness


def look(harness: Harness, **settings: float) -> None:
    cleaner = Cleaner(harness.store, harness.broker.connect(), harness.clock, Settings(**settings), 1)
    cleaner.look()
    harness.carry()


def there(harness: Harness, *runs: str) -> list[bool]:
    with harness.store.transaction() as transaction:
        return [bool(transaction.load([run])) for run in runs]


def test_nothing_is_removed_unless_a_setting_says_so(harness: Harness) -> None:
    run = harness.start("short")
    harness.clock.advance(3_000 * DAY)
    look(harness)
    assert there(harness, run) == [True]


def test_runs_go_when_their_time_is_over_and_can_be_read_as_archives(harness: Harness) -> None:
    old, open_one = harness.start("short"), harness.start("family")
    harness.clock.advance(DAY)
    young = harness.start("short")
    look(harness, ended_runs_kept_seconds=DAY / 2)
    assert there(harness, old, young, open_one) == [False, True, True]
    with harness.store.transaction() as transaction:
        removed = transaction.removed_run(old)
    assert removed is not None
    assert removed.document is not None
    assert removed.document["status"] == "COMPLETED"


def test_they_go_without_a_trace_where_no_archive_is_wanted(harness: Harness) -> None:
    run = harness.start("short")
    harness.clock.advance(DAY)
    look(harness, ended_runs_kept_seconds=1, archive_ended_runs=False)
    with harness.store.transaction() as transaction:
        removed = transaction.removed_run(run)
    assert removed is not None
    assert removed.document is None


def test_a_child_stays_as_long_as_its_parent(harness: Harness) -> None:
    parent = harness.start("family")
    child = str(harness.task(parent, "c").child_id)
    harness.clock.advance(DAY)
    look(harness, ended_runs_kept_seconds=1)
    assert there(harness, parent, child) == [True, True]
    assert harness.request(parent, "signal", status="COMPLETED").granted
    harness.clock.advance(DAY)
    look(harness, ended_runs_kept_seconds=1)
    assert there(harness, parent, child) == [False, True]
    look(harness, ended_runs_kept_seconds=1)
    assert there(harness, child) == [False]


def test_archives_are_forgotten_in_their_turn(harness: Harness) -> None:
    run = harness.start("short")
    harness.clock.advance(DAY)
    look(harness, ended_runs_kept_seconds=1, archives_kept_seconds=DAY)
    harness.clock.advance(2 * DAY)
    look(harness, ended_runs_kept_seconds=1, archives_kept_seconds=DAY)
    with harness.store.transaction() as transaction:
        removed = transaction.removed_run(run)
    assert removed is not None, "that it was removed stays known"
    assert removed.document is None


def test_it_looks_once_a_minute(harness: Harness) -> None:
    run = harness.start("short")
    cleaner = Cleaner(harness.store, harness.broker.connect(), harness.clock, Settings(ended_runs_kept_seconds=30), 1)
    cleaner.look()
    harness.clock.advance(59)
    cleaner.look()
    harness.carry()
    assert there(harness, run) == [True]
    harness.clock.advance(1)
    cleaner.look()
    harness.carry()
    assert there(harness, run) == [False]


def test_it_asks_for_more_as_soon_as_what_it_asked_for_is_gone_and_not_before(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.services.cleaner._MOST_AT_ONCE", 2)
    runs = [harness.start("short") for _ in range(5)]
    harness.clock.advance(DAY)
    cleaner = Cleaner(harness.store, harness.broker.connect(), harness.clock, Settings(ended_runs_kept_seconds=30), 1)
    cleaner.look()
    harness.clock.advance(1)
    cleaner.look()
    harness.carry()
    assert there(harness, *runs) == [False, False, True, True, True]
    for left in ([False] * 4 + [True], [False] * 5):
        harness.clock.advance(1)
        cleaner.look()
        harness.carry()
        assert there(harness, *runs) == left
