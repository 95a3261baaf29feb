"""Shows what runs have been: earlier rounds of a run, who has asked for what, and runs that were archived."""

from __future__ import annotations

from engine import past
from engine.errors import NotFound, PayloadLost
from engine.model.payload import Json
from engine.store.port import Store, Transaction


def rounds_json(store: Store, workflow_id: str) -> list[Json]:
    """Return what a run was each time it was done over, oldest first; raise ``NotFound`` when there is no such run."""
    with store.transaction() as tx:
        rows = tx.load([workflow_id]).get(workflow_id)
        if rows is None:
            found: list[Json] = _archived(tx, workflow_id)["history"]
            return found
        return past.rounds_json(tx, workflow_id, rows.tasks)


def requests_json(store: Store, workflow_id: str) -> list[Json]:
    """Return what was asked of a run, oldest first, also of one that was removed; raise ``NotFound`` for no run."""
    with store.transaction() as tx:
        rows = tx.load([workflow_id], payloads=False).get(workflow_id)
        snapshots = tx.snapshots([rows.workflow.definition_hash]) if rows is not None else {}
        masked = {name for definition in snapshots.values() for name in definition.masked_fields}
        lines = past.requests_json(tx, workflow_id, masked)
        if not lines and rows is None:
            raise NotFound(f"No workflow has the id {workflow_id!r}.")
        removed = tx.removed_run(workflow_id)
        before = (removed.document or {}).get("requests", []) if removed is not None else []
        return [*before, *lines]


def archived_json(store: Store, workflow_id: str, *, include_tasks: bool) -> dict[str, Json]:
    """Return a run that was archived; raise ``NotFound`` when it was not."""
    with store.transaction() as tx:
        document = _archived(tx, workflow_id)
    return document if include_tasks else {**document, "tasks": []}


def _archived(tx: Transaction, workflow_id: str) -> dict[str, Json]:
    removed = tx.removed_run(workflow_id)
    if removed is not None and removed.outside and removed.document is None:
        raise PayloadLost(
            f"The archive of workflow {workflow_id!r} is kept in another storage, and BATON_ARCHIVE_URL names none."
        )
    if removed is None or removed.document is None:
        raise NotFound(f"No workflow has the id {workflow_id!r}.")
    return {name: value for name, value in removed.document.items() if name != "requests"}
