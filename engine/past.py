"""A run's past as the outside sees it: earlier rounds, what was asked of it, and what is kept once it is removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from engine.clock import Instant, milliseconds
from engine.decider.decide import Decision
from engine.decider.execution import Execution, restore, salvage
from engine.model.definition import TaskDef, WorkflowDef, WorkflowTask
from engine.model.earlier import EarlierRound
from engine.model.execution import Task
from engine.model.payload import Json
from engine.store.history_port import RemovedRun
from engine.store.port import LoggedRequest, Transaction
from engine.tasks import task_type
from engine.wire.conductor import Describe, Described, workflow_json
from engine.wire.masked_fields import masked_object, masked_task, masked_workflow


def rounds_json(transaction: Transaction, workflow_id: str, live: Sequence[Task]) -> list[Json]:
    """Return what a run was each time it was done over, oldest first, as Conductor's Workflow objects.

    ``live`` are the tasks that are part of it now.
    """
    rounds = transaction.earlier_rounds(workflow_id)
    snapshots = transaction.snapshots({each.workflow.definition_hash for each in rounds})
    return [
        _round_json(each, _tasks_of(each, rounds[place:], live), snapshots[each.workflow.definition_hash])
        for place, each in enumerate(rounds)
    ]


def requests_json(transaction: Transaction, workflow_id: str, masked: Collection[str]) -> list[Json]:
    """Return what was asked of a run, oldest first: by whom, when, and whether it was granted; with these masked."""
    return [_line_json(line, masked) for line in transaction.requests(workflow_id)]


def removed(transaction: Transaction, decision: Decision, now: Instant) -> RemovedRun | None:
    """Return what is kept of a run that a decision removes, None when it removes none."""
    draft = decision.draft
    if draft.removal is None:
        return None
    workflow, document = draft.workflow, None
    if draft.removal.archive:
        tasks = [draft.tasks[seq] for seq in sorted(draft.tasks)]
        document = {
            **_shown(draft.base, tasks),
            "archived": True,
            "archivedTime": milliseconds(now),
            "history": rounds_json(transaction, workflow.id, tasks),
            "requests": requests_json(transaction, workflow.id, draft.definition.masked_fields),
        }
    return RemovedRun(workflow_id=workflow.id, at=now, document=document)


def described(configs: Mapping[int, WorkflowTask]) -> Describe:
    """Return how tasks are described whose steps are known."""

    def describe(task: Task) -> Described:
        step, kind = configs[task.seq], task_type(task.type)
        own = TaskDef.model_validate(task.own_definition) if task.own_definition is not None else step.task_definition
        return Described(step=step, task_type=kind.shown_type(task), task_def_name=task.name, definition=own)

    return describe


def _tasks_of(then: EarlierRound, since: Sequence[EarlierRound], live: Sequence[Task]) -> list[Task]:
    """Return the tasks that were part of the flow then: those taken out at that moment or later, or not at all."""
    every = [*live, *(task for each in since for task in each.tasks)]
    return sorted((task for task in every if task.seq <= then.workflow.last_seq), key=lambda task: task.seq)


def _round_json(then: EarlierRound, tasks: Sequence[Task], definition: WorkflowDef) -> Json:
    try:
        run = restore(then.workflow, tasks, definition)
    except Exception:
        # Containers that were reopened since may lead to other steps: then only the rows are shown.
        run = salvage(then.workflow, tasks, definition)
    return {**_shown(run, tasks), "supersededTime": milliseconds(then.at)}


def _shown(run: Execution, tasks: Sequence[Task]) -> dict[str, Json]:
    masked = run.definition.masked_fields
    visible = [masked_task(task, masked) for task in tasks]
    describe = described({seq: plan.step for seq, plan in run.plans.items()})
    return workflow_json(masked_workflow(run.workflow, masked), visible, run.definition, describe)


def _line_json(line: LoggedRequest, masked: Collection[str]) -> Json:
    request, outcome = line.request, line.outcome
    return {
        "request": request.verb,
        "arguments": masked_object(request.arguments, masked),
        "by": request.by,
        "time": milliseconds(line.at),
        "granted": outcome.granted,
        "code": outcome.code,
        "message": outcome.message,
    }
