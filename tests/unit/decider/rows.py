"""Whether what a decider remembers of a run is what its rows say."""

from __future__ import annotations

from typing import Any

from engine.decider.execution import Execution, restore
from engine.testing.harness import Harness

_DERIVED = ("plans", "latest", "named", "open", "holding", "lists", "forks", "joins", "unsettled", "waiters")


def assert_remembered_as_stored(harness: Harness, run: str) -> None:
    """Fail unless everything derived of a run that the decider has in memory follows from the rows in the store."""
    remembered = harness.executor._residents.get(run)
    assert remembered is not None, "the decider has forgotten the run"
    rows = harness.rows(run)
    stored = restore(rows.workflow, rows.tasks, remembered.run.definition)
    assert remembered.run.tasks == stored.tasks
    for name in _DERIVED:
        assert _shown(remembered.run, name) == _shown(stored, name), name


def _shown(run: Execution, name: str) -> Any:
    found = getattr(run, name)
    if name == "forks":
        # Forks that are over may be forgotten.
        return {seq: left for seq, left in found.items() if left}
    if name == "waiters":
        return {ref: sorted(waiting) for ref, waiting in found.items() if waiting}
    return found
