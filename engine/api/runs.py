"""Reads runs from the store and shows them as Conductor does, without what their definitions want masked."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.history import archived_json
from engine.api.shown import description, run_alone
from engine.decider.execution import restore
from engine.errors import NotFound
from engine.model.definition import WorkflowDef
from engine.model.execution import Workflow, split_task_id
from engine.model.payload import Json
from engine.past import described
from engine.store.port import Rows, Store
from engine.wire.conductor import status_json, task_json, workflow_json
from engine.wire.masked_fields import masked_task, masked_workflow


def rows_of(store: Store, workflow_id: str) -> Rows:
    """Return a run's rows; raise ``NotFound`` when there is none of that id."""
    with store.transaction() as tx:
        found = tx.load([workflow_id]).get(workflow_id)
    if found is None:
        raise NotFound(f"No workflow has the id {workflow_id!r}.")
    return found


def run_json(store: Store, workflow_id: str, *, include_tasks: bool) -> dict[str, Json]:
    """Return Conductor's Workflow object of a run, also of one that was archived when it was removed."""
    try:
        rows = rows_of(store, workflow_id) if include_tasks else Rows(_run(store, workflow_id), ())
    except NotFound:
        return archived_json(store, workflow_id, include_tasks=include_tasks)
    definition = _snapshot(store, rows.workflow)
    if not include_tasks:
        return run_alone(rows.workflow, definition)
    plans = restore(rows.workflow, rows.tasks, definition).plans
    describe = described({seq: plan.step for seq, plan in plans.items()})
    workflow = masked_workflow(rows.workflow, definition.masked_fields)
    tasks = (masked_task(task, definition.masked_fields) for task in rows.tasks)
    return workflow_json(workflow, tasks, definition, describe)


def run_without_payloads(store: Store, workflow_id: str) -> dict[str, Json]:
    """Return a run with its tasks, but without inputs, outputs and variables: large runs are then quickly there."""
    with store.transaction() as tx:
        rows = tx.load([workflow_id], payloads=False).get(workflow_id)
        if rows is None:
            raise NotFound(f"No workflow has the id {workflow_id!r}.")
        definition = tx.snapshots([rows.workflow.definition_hash])[rows.workflow.definition_hash]
        describe = description(tx, rows.workflow, rows.tasks, definition)
    return workflow_json(rows.workflow, rows.tasks, definition, describe)


def task_page_json(store: Store, workflow_id: str, statuses: Sequence[str], start: int, count: int) -> dict[str, Json]:
    """Return Conductor's SearchResult of a run's tasks in the order of their scheduling, also of an archived run."""
    with store.transaction() as tx:
        run = tx.run(workflow_id)
        if run is not None:
            definition = tx.snapshots([run.definition_hash])[run.definition_hash]
            total, tasks = tx.task_page(workflow_id, statuses, start, count)
            describe = description(tx, run, tasks, definition)
    if run is None:
        archived = archived_json(store, workflow_id, include_tasks=True)["tasks"]
        found = [task for task in archived if not statuses or task["status"] in statuses]
        return {"totalHits": len(found), "results": found[start : start + count]}
    masked = (masked_task(task, definition.masked_fields) for task in tasks)
    return {"totalHits": total, "results": [task_json(task, run, describe(task)) for task in masked]}


def run_status_json(
    store: Store, workflow_id: str, *, include_output: bool, include_variables: bool
) -> dict[str, Json]:
    """Return Conductor's WorkflowStatus object of a run."""
    workflow = rows_of(store, workflow_id).workflow if include_output else _run(store, workflow_id)
    if include_output or include_variables:
        workflow = masked_workflow(workflow, _snapshot(store, workflow).masked_fields)
    return status_json(workflow, include_output=include_output, include_variables=include_variables)


def one_task_json(store: Store, identity: str) -> dict[str, Json]:
    """Return Conductor's Task object; raise ``NotFound`` when no task has this id."""
    split = split_task_id(identity)
    if split is None:
        raise NotFound(f"No task has the id {identity!r}: ids are <workflow id>.<number>.")
    workflow_id, seq = split
    shown = tasks_json(store, [(workflow_id, seq)])
    if not shown:
        raise NotFound(f"No task has the id {identity!r}: workflow {workflow_id!r} has no such task, or there is none.")
    found: dict[str, Json] = shown[0]
    return found


def tasks_json(store: Store, keys: Sequence[tuple[str, int]]) -> list[Json]:
    """Return Conductor's Task objects of these tasks, by run and seq; those that are gone meanwhile are left out."""
    wanted: dict[str, set[int]] = {}
    for workflow_id, seq in keys:
        wanted.setdefault(workflow_id, set()).add(seq)
    shown: list[Json] = []
    with store.transaction() as tx:
        for workflow_id, seqs in wanted.items():
            if (run := tx.run(workflow_id)) is None:
                continue
            tasks = tx.tasks_by_seq(workflow_id, seqs)
            definition = tx.snapshots([run.definition_hash])[run.definition_hash]
            describe = description(tx, run, tasks, definition)
            masked = (masked_task(task, definition.masked_fields) for task in tasks)
            shown += [task_json(task, run, describe(task)) for task in masked]
    return shown


def _run(store: Store, workflow_id: str) -> Workflow:
    with store.transaction() as tx:
        found = tx.run(workflow_id)
    if found is None:
        raise NotFound(f"No workflow has the id {workflow_id!r}.")
    return found


def _snapshot(store: Store, workflow: Workflow) -> WorkflowDef:
    with store.transaction() as tx:
        return tx.snapshots([workflow.definition_hash])[workflow.definition_hash]
