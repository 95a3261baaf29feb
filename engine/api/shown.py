"""Shows what a search has found as Conductor does, without what definitions want masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from engine.decider.execution import steps_of
from engine.model.definition import WorkflowDef
from engine.model.execution import Task, Workflow
from engine.model.payload import Json
from engine.past import described
from engine.store.port import Transaction
from engine.store.search_port import FoundRuns, FoundTasks
from engine.wire.conductor import Describe, Described, summary_json, task_json, workflow_json
from engine.wire.masked_fields import masked_task, masked_workflow
from engine.wire.task_summary import task_summary_json


def summaries(tx: Transaction, found: FoundRuns) -> list[Json]:
    """Return the runs as Conductor's WorkflowSummary objects."""
    definitions = _definitions(tx, found.runs)
    shown = (masked_workflow(run, definitions[run.definition_hash].masked_fields) for run in found.runs.values())
    return [summary_json(run) for run in shown]


def runs(tx: Transaction, found: FoundRuns) -> list[Json]:
    """Return the runs as Conductor's Workflow objects, without their tasks, as there."""
    definitions = _definitions(tx, found.runs)
    return [run_alone(run, definitions[run.definition_hash]) for run in found.runs.values()]


def run_alone(run: Workflow, definition: WorkflowDef) -> dict[str, Json]:
    """Return a run as a Workflow object without tasks."""
    return workflow_json(masked_workflow(run, definition.masked_fields), (), definition, _unasked, include_tasks=False)


def tasks(tx: Transaction, found: FoundTasks) -> list[Json]:
    """Return the tasks as Conductor's Task objects."""
    return [task_json(task, run, describe(task)) for task, run, describe in _described(tx, found)]


def task_summaries(tx: Transaction, found: FoundTasks) -> list[Json]:
    """Return the tasks as Conductor's TaskSummary objects."""
    return [task_summary_json(task, run, describe(task)) for task, run, describe in _described(tx, found)]


def description(tx: Transaction, run: Workflow, some: Sequence[Task], definition: WorkflowDef) -> Describe:
    """Return what describes some of a run's tasks; of the others only those are loaded that lead to them."""
    known: dict[int, Task] = {}
    missing = {task.parent for task in some} - {0}
    while missing:
        above = tx.tasks_by_seq(run.id, missing, whole=False)
        known |= {task.seq: task for task in above}
        missing = {task.parent for task in above} - {0} - known.keys()
    rows = {task.seq: task for task in some} | known
    return described(steps_of(run, (rows[seq] for seq in sorted(rows)), definition))


def _described(tx: Transaction, found: FoundTasks) -> Iterator[tuple[Task, Workflow, Describe]]:
    definitions = _definitions(tx, found.runs)
    of_run = attrgetter("workflow_id")
    describe = {
        run: description(tx, found.runs[run], list(some), definitions[found.runs[run].definition_hash])
        for run, some in groupby(sorted(found.tasks, key=of_run), of_run)
    }
    for task in found.tasks:
        run = found.runs[task.workflow_id]
        masked = masked_task(task, definitions[run.definition_hash].masked_fields)
        yield masked, run, describe[task.workflow_id]


def _definitions(tx: Transaction, found: Mapping[str, Workflow]) -> Mapping[str, WorkflowDef]:
    return tx.snapshots({run.definition_hash for run in found.values()})


def _unasked(task: Task) -> Described:
    raise AssertionError(f"{task.id} is not to be shown")
