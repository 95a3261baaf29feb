"""Runs to store, and short words for storing them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.clock import Instant
from engine.model.execution import Task, Workflow
from engine.store.port import Rows, Save, Store

MOMENT = Instant(1_700_000_000_000_000)


def a_run(identity: str = "run", **fields: Any) -> Workflow:
    """Return a new run."""
    given: dict[str, Any] = {
        "name": "order",
        "version": 1,
        "definition_hash": "h",
        "version_no": 1,
        "created_at": MOMENT,
    }
    return Workflow(id=identity, **(given | fields))


def a_task(run: str = "run", seq: int = 1, **fields: Any) -> Task:
    """Return a new task."""
    given: dict[str, Any] = {"ref": f"pack_{seq}", "type": "SIMPLE", "name": "pack", "queue": "pack"}
    return Task(workflow_id=run, seq=seq, **(given | fields))


def create(store: Store, *runs: Workflow, tasks: Iterable[Task] = ()) -> set[str]:
    """Store new runs with those of the tasks that are theirs; return what was written."""
    every = list(tasks)
    saves = [
        Save(workflow=run, loaded_version=None, inserted=[task for task in every if task.workflow_id == run.id])
        for run in runs
    ]
    with store.transaction() as transaction:
        return transaction.save(saves)


def change(run: Workflow, **fields: Any) -> Workflow:
    """Return the run as its next decision leaves it."""
    return msgspec.structs.replace(run, version_no=run.version_no + 1, **fields)


def save(store: Store, *saves: Save) -> set[str]:
    """Store these in one transaction; return what was written."""
    with store.transaction() as transaction:
        return transaction.save(saves)


def load(store: Store, identity: str = "run") -> Rows:
    """Return one run as stored."""
    with store.transaction() as transaction:
        return transaction.load([identity])[identity]
