"""What ``${…}`` expressions see of a run: the workflow and every task by reference name (Conductor 2.3)."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.clock import milliseconds
from engine.decider.draft import Draft
from engine.expression.budget import Budget
from engine.expression.template import Roots, Template, compile_template
from engine.model.execution import Task, task_id
from engine.model.payload import Json, JsonObject
from engine.tasks import task_type

_WORKFLOW = "workflow"
_TASK_ID = "CPEWF_TASK_ID"

#: What loops put behind the names of what they run.
_ITERATION: Final = re.compile(r"(?:__\d+)+$")

#: Characters of a value that are written and sent in the time of a step of evaluation.
_CHARACTERS_PER_STEP: Final = 10


def evaluated(draft: Draft, value: Json, seq: int = 0, roots: JsonObject = MappingProxyType({})) -> Json:
    """Return ``value`` with its expressions replaced by what they find in the run, for the task of this seq.

    ``roots`` are further roots of expressions, which come before those of the run.
    Looking, and the size of what comes out, count in the decision's effort. Raises ``BadExpression`` when either is
    beyond its limit.
    """
    return filled(draft, compile_template(value), seq, roots)


def filled(draft: Draft, template: Template, seq: int, roots: JsonObject = MappingProxyType({})) -> Json:
    """Return what a template comes to; see ``evaluated``."""
    budget = Budget(draft.surroundings.limits.value_characters)
    try:
        context: Mapping[str, Json] = Context(draft, seq)
        if roots:
            context = ChainMap(dict(roots), context)  # type: ignore[arg-type]  # only read
        found = template.render(context, draft.surroundings.environment, budget=budget)
        if template.constant:
            budget.weigh(found)
        return found
    finally:
        draft.effort += budget.steps + budget.characters // _CHARACTERS_PER_STEP


def looked_at(draft: Draft, value: Json, seq: int) -> Json:
    """Return what ``evaluated`` does, for what is neither kept nor written: its size counts nowhere."""
    budget = Budget(draft.surroundings.limits.value_characters)
    try:
        return compile_template(value).look(Context(draft, seq), draft.surroundings.environment, budget=budget)
    finally:
        draft.effort += budget.steps


class Context(Roots, Mapping[str, Json]):
    """The roots of expressions, each built only when it is asked for, and only so far."""

    __slots__ = ("_draft", "_seq")

    def __init__(self, draft: Draft, seq: int = 0) -> None:
        self._draft = draft
        self._seq = seq

    def __getitem__(self, root: str) -> Json:
        draft = self._draft
        if root == _WORKFLOW:
            return {name: read(draft) for name, read in _OF_WORKFLOW.items()}
        task = self._named(root)
        if task is not None:
            return {name: read(draft, task) for name, read in _OF_TASK.items()}
        if root == _TASK_ID and self._seq:
            return task_id(draft.workflow.id, self._seq)
        raise KeyError(root)

    def field(self, root: str, name: str) -> Json:
        """Return one field of a root: what nearly all expressions ask for, so that the others need not be built."""
        if root == _WORKFLOW:
            return _OF_WORKFLOW[name](self._draft)
        task = self._named(root)
        if task is not None:
            return _OF_TASK[name](self._draft, task)
        raise KeyError(root)

    def __iter__(self) -> Iterator[str]:
        looped, latest = self._draft.named, self._draft.latest
        yield _WORKFLOW
        yield from looped
        yield from (ref for ref in latest if ref not in looped and _ITERATION.sub("", ref) not in looped)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _named(self, root: str) -> Task | None:
        draft = self._draft
        seq, looped = draft.latest.get(root), draft.named.get(root)
        if looped is not None and (seq is None or looped > seq):
            seq = looped
        return None if seq is None else draft.tasks[seq]


_OF_WORKFLOW: Final[Mapping[str, Callable[[Draft], Json]]] = {
    "input": lambda draft: draft.workflow.input,
    "output": lambda draft: draft.workflow.output,
    "variables": lambda draft: draft.workflow.variables,
    "status": lambda draft: draft.workflow.status.value,
    "workflowId": lambda draft: draft.workflow.id,
    "parentWorkflowId": lambda draft: draft.workflow.parent_id,
    "parentWorkflowTaskId": lambda draft: draft.workflow.parent_task_id,
    "workflowType": lambda draft: draft.workflow.name,
    "version": lambda draft: draft.workflow.version,
    "correlationId": lambda draft: draft.workflow.correlation_id,
    "reasonForIncompletion": lambda draft: draft.workflow.reason,
    "schemaVersion": lambda draft: draft.definition.schema_version,
}

_OF_TASK: Final[Mapping[str, Callable[[Draft, Task], Json]]] = {
    "input": lambda draft, task: task.input,
    "output": lambda draft, task: task.output,
    "taskType": lambda draft, task: task_type(task.type).shown_type(task),
    "status": lambda draft, task: task.status.value,
    "referenceTaskName": lambda draft, task: task.ref,
    "retryCount": lambda draft, task: task.attempt,
    "correlationId": lambda draft, task: draft.workflow.correlation_id,
    "pollCount": lambda draft, task: task.polls,
    "taskDefName": lambda draft, task: task.name,
    "scheduledTime": lambda draft, task: milliseconds(task.scheduled_at),
    "startTime": lambda draft, task: milliseconds(task.started_at),
    "endTime": lambda draft, task: milliseconds(task.ended_at),
    "workflowInstanceId": lambda draft, task: task.workflow_id,
    "taskId": lambda draft, task: task.id,
    "reasonForIncompletion": lambda draft, task: task.reason,
    "callbackAfterSeconds": lambda draft, task: task.callback_after_seconds,
    "workerId": lambda draft, task: task.worker,
    "iteration": lambda draft, task: task.iteration,
}
