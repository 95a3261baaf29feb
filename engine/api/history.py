"""Shows what runs have been: earlier rounds of a run, archived runs, and who has asked for what."""

from __future__ import annotations

from collections.abc import Sequence

from engine.api.runs import described, rows_of
from engine.clock import milliseconds
from engine.decider.execution import restore, salvage
from engine.model.definition import WorkflowDef
from engine.model.earlier import EarlierRound
from engine.model.execution import Task
from engine.model.payload import Json
from engine.store.port import LoggedRequest, Store
from engine.wire.conductor import workflow_json
from engine.wire.masked_fields import masked_task, masked_workflow


def rounds_json(store: Store, workflow_id: str) -> list[Json]:
    """Return what a run was each time it was done over, oldest first, as Conductor's Workflow objects.

    Raises ``NotFound`` when there is no run of that id.
    """
    live = rows_of(store, workflow_id).tasks
    with store.transaction() as tx:
        rounds = tx.earlier_rounds(workflow_id)
        snapshots = tx.snapshots({each.workflow.definition_hash for each in rounds})
    return [
        _round_json(each, _tasks_of(each, rounds[place:], live), snapshots[each.workflow.definition_hash])
        for place, each in enumerate(rounds)
    ]


def requests_json(store: Store, workflow_id: str) -> list[Json]:
    """Return what was asked of a run, oldest first: by whom, when, and whether it was granted."""
    rows_of(store, workflow_id)
    with store.transaction() as tx:
        lines = tx.requests(workflow_id)
    return [_line_json(line) for line in lines]


def _tasks_of(then: EarlierRound, since: Sequence[EarlierRound], live: Sequence[Task]) -> list[Task]:
    """Return the tasks that were part of the flow then: those taken out at that moment or later, or not at all."""
    every = [*live, *(task for each in since for task in each.tasks)]
    return sorted((task for task in every if task.seq <= then.workflow.last_seq), key=lambda task: task.seq)


def _round_json(then: EarlierRound, tasks: Sequence[Task], definition: WorkflowDef) -> Json:
    try:
        run = restore(then.workflow, tasks, definition)
    except (
        Exception
    ):  # Containers that were reopened since may lead to other steps; what is known of the rows is shown.
        run = salvage(then.workflow, tasks, definition)
    masked = definition.masked_fields
    shown = (masked_task(task, masked) for task in tasks)
    found = workflow_json(masked_workflow(then.workflow, masked), shown, definition, described(run.configs))
    return {**found, "supersededTime": milliseconds(then.at)}


def _line_json(line: LoggedRequest) -> Json:
    request, outcome = line.request, line.outcome
    return {
        "request": request.verb,
        "arguments": request.arguments,
        "by": request.by,
        "time": milliseconds(line.at),
        "granted": outcome.granted,
        "code": outcome.code,
        "message": outcome.message,
    }
