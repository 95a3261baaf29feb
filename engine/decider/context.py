"""What ``${…}`` expressions see of a run: the workflow and every task by reference name (Conductor 2.3)."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.clock import milliseconds
from engine.decider.draft import Draft
from engine.expression.budget import Budget
from engine.expression.template import substitute
from engine.model.execution import Task
from engine.model.payload import Json, JsonObject
from engine.tasks import task_type

_WORKFLOW = "workflow"
_TASK_ID = "CPEWF_TASK_ID"


#: Characters of a value that are written and sent in the time of a step of evaluation.
_CHARACTERS_PER_STEP: Final = 10


def evaluated(draft: Draft, value: Json, task_id: str | None = None, roots: JsonObject = MappingProxyType({})) -> Json:
    """Return ``value`` with its expressions replaced by what they find in the run, for the task of this id.

    ``roots`` are further roots of expressions, which come before those of the run.
    Looking, and the size of what comes out, count in the decision's effort. Raises ``BadExpression`` when either is
    beyond its limit.
    """
    budget = Budget(draft.surroundings.limits.value_characters)
    try:
        context: Mapping[str, Json] = Context(draft, task_id)
        if roots:
            context = ChainMap(dict(roots), context)  # type: ignore[arg-type]  # only read
        found = substitute(value, context, environment=draft.surroundings.environment, budget=budget)
        if found is value:
            budget.weigh(value)
        return found
    finally:
        draft.effort += budget.steps + budget.characters // _CHARACTERS_PER_STEP


class Context(Mapping[str, Json]):
    """The roots of expressions, each built only when it is asked for."""

    __slots__ = ("_draft", "_task_id")

    def __init__(self, draft: Draft, task_id: str | None = None) -> None:
        self._draft = draft
        self._task_id = task_id

    def __getitem__(self, root: str) -> Json:
        if root == _WORKFLOW:
            return self._workflow()
        seq = self._draft.named.get(root)
        if seq is None:
            seq = self._draft.latest.get(root)
        if seq is not None:
            return self._task(self._draft.tasks[seq])
        if root == _TASK_ID and self._task_id is not None:
            return self._task_id
        raise KeyError(root)

    def __iter__(self) -> Iterator[str]:
        yield _WORKFLOW
        yield from self._draft.named

    def __len__(self) -> int:
        return 1 + len(self._draft.named)

    def _workflow(self) -> dict[str, Json]:
        workflow = self._draft.workflow
        return {
            "input": workflow.input,
            "output": workflow.output,
            "variables": workflow.variables,
            "status": workflow.status.value,
            "workflowId": workflow.id,
            "parentWorkflowId": workflow.parent_id,
            "parentWorkflowTaskId": workflow.parent_task_id,
            "workflowType": workflow.name,
            "version": workflow.version,
            "correlationId": workflow.correlation_id,
            "reasonForIncompletion": workflow.reason,
            "schemaVersion": self._draft.definition.schema_version,
        }

    def _task(self, task: Task) -> dict[str, Json]:
        kind = task_type(task.type)
        return {
            "input": task.input,
            "output": task.output,
            "taskType": kind.shown_type(task),
            "status": task.status.value,
            "referenceTaskName": task.ref,
            "retryCount": task.attempt,
            "correlationId": self._draft.workflow.correlation_id,
            "pollCount": task.polls,
            "taskDefName": task.name,
            "scheduledTime": milliseconds(task.scheduled_at),
            "startTime": milliseconds(task.started_at),
            "endTime": milliseconds(task.ended_at),
            "workflowInstanceId": task.workflow_id,
            "taskId": task.id,
            "reasonForIncompletion": task.reason,
            "callbackAfterSeconds": task.callback_after_seconds,
            "workerId": task.worker,
            "iteration": task.iteration,
        }
