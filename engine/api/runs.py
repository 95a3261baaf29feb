"""Reads runs from the store and shows them as Conductor does, without what their definitions want masked."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.history import archived_json
from engine.decider.execution import restore
from engine.errors import NotFound
from engine.model.definition import WorkflowDef
from engine.model.execution import Task, Workflow, split_task_id
from engine.model.payload import Json
from engine.past import described
from engine.store.port import Rows, Store
from engine.wire.conductor import Described, status_json, task_json, workflow_json
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
        rows = rows_of(store, workflow_id)
    except NotFound:
        return archived_json(store, workflow_id, include_tasks=include_tasks)
    definition = _snapshot(store, rows.workflow)
    describe = described(restore(rows.workflow, rows.tasks, definition).configs) if include_tasks else _unasked
    workflow = masked_workflow(rows.workflow, definition.masked_fields)
    tasks = (masked_task(task, definition.masked_fields) for task in rows.tasks)
    return workflow_json(workflow, tasks, definition, describe, include_tasks)


def run_status_json(
    store: Store, workflow_id: str, *, include_output: bool, include_variables: bool
) -> dict[str, Json]:
    """Return Conductor's WorkflowStatus object of a run."""
    workflow = rows_of(store, workflow_id).workflow
    if include_output or include_variables:
        workflow = masked_workflow(workflow, _snapshot(store, workflow).masked_fields)
    return status_json(workflow, include_output=include_output, include_variables=include_variables)


def one_task_json(store: Store, identity: str) -> dict[str, Json]:
    """Return Conductor's Task object; raise ``NotFound`` when no task has this id."""
    split = split_task_id(identity)
    if split is None:
        raise NotFound(f"No task has the id {identity!r}: ids are <workflow id>.<number>.")
    workflow_id, seq = split
    rows = rows_of(store, workflow_id)
    task = next((task for task in rows.tasks if task.seq == seq), None)
    if task is None:
        raise NotFound(f"No task has the id {identity!r}: workflow {workflow_id!r} has {len(rows.tasks)} tasks.")
    definition = _snapshot(store, rows.workflow)
    configs = restore(rows.workflow, rows.tasks, definition).configs
    return task_json(masked_task(task, definition.masked_fields), rows.workflow, described(configs)(task))


def tasks_json(store: Store, keys: Sequence[tuple[str, int]]) -> list[Json]:
    """Return Conductor's Task objects of these tasks, by run and seq; those that are gone meanwhile are left out."""
    with store.transaction() as tx:
        found = tx.load({run for run, _ in keys})
        definitions = tx.snapshots({rows.workflow.definition_hash for rows in found.values()})
    wanted: dict[str, set[int]] = {}
    for run, seq in keys:
        wanted.setdefault(run, set()).add(seq)
    shown: list[Json] = []
    for run, seqs in wanted.items():
        if (rows := found.get(run)) is None:
            continue
        definition = definitions[rows.workflow.definition_hash]
        describe = described(restore(rows.workflow, rows.tasks, definition).configs)
        of_run = (masked_task(task, definition.masked_fields) for task in rows.tasks if task.seq in seqs)
        shown += [task_json(task, rows.workflow, describe(task)) for task in of_run]
    return shown


def _snapshot(store: Store, workflow: Workflow) -> WorkflowDef:
    with store.transaction() as tx:
        return tx.snapshots([workflow.definition_hash])[workflow.definition_hash]


def _unasked(task: Task) -> Described:
    raise AssertionError(f"{task.id} is not to be shown")
