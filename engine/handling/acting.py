"""The actions of event handlers: from what the handler says and the message holds to a start or a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import BadMessage
from engine.model.event import StartWorkflow
from engine.model.event_handler import StartAction, TaskAction, TerminateAction, VariablesAction
from engine.model.execution import split_task_id
from engine.model.payload import Json, JsonObject
from engine.model.request import Request
from engine.model.status import TaskStatus
from engine.wire.start_message import read_start

#: Conductor's keys in the input of what an event starts, and in the output of a task that it ends.
_MESSAGE_ID: Final = "conductor.event.messageId"
_EVENT: Final = "conductor.event.name"


class Cause(Struct, frozen=True, kw_only=True):
    """Why something is done: which handler, event and message, and the id that follows from them every time."""

    act_id: str
    handler: str
    event: str
    message_id: str
    payload: Json
    #: Puts what the payload holds in the place of expressions.
    fill: Callable[[Json], Json]

    @property
    def marks(self) -> JsonObject:
        """What the engine adds to inputs and outputs."""
        return {_MESSAGE_ID: self.message_id, _EVENT: self.event}

    def request(self, workflow_id: str, verb: str, **arguments: Json) -> Request:
        """Return a request that is recognised when it is sent again."""
        return Request(
            event_id=self.act_id,
            workflow_id=workflow_id,
            verb=verb,
            arguments=arguments,
            by=f"event handler {self.handler}",
            may_repeat=True,
        )


Work: TypeAlias = StartWorkflow | Request

#: What a handler lacks: a field, and a sentence about it.
Lack: TypeAlias = tuple[str, str]


class Action(Struct, frozen=True):
    """A kind of action: what is missing in its details, and the work that it makes of them."""

    lacks: Callable[[Any], Iterator[Lack]]
    #: Raises ``BadMessage`` when the message does not have what it takes.
    work: Callable[[Any, Cause], Work]


def _start_lacks(details: StartAction) -> Iterator[Lack]:
    if not details.name.strip():
        yield "name", "names the workflow to start"


def _start(details: StartAction, cause: Cause) -> StartWorkflow:
    wanted = _filled(details.to_json(), cause)
    given = wanted.get("input")
    domains = wanted.get("taskToDomain")
    if (
        domains is None
        and isinstance(cause.payload, Mapping)
        and isinstance(cause.payload.get("taskToDomain"), Mapping)
    ):
        domains = cause.payload["taskToDomain"]
    document = {
        **wanted,
        "input": {**(given if isinstance(given, Mapping) else {}), **cause.marks},
        "taskToDomain": domains,
        "event": cause.event,
        "createdBy": f"event handler {cause.handler}",
    }
    start = read_start(document, lambda: cause.act_id, subject="start_workflow")
    return replace(start, event_id=cause.act_id)


def _task_lacks(details: TaskAction) -> Iterator[Lack]:
    if not details.task_id and not (details.workflow_id and details.task_ref_name):
        yield "taskId", "is missing, and so are workflowId and taskRefName, which may stand in its place"


def _ending(status: TaskStatus) -> Callable[[TaskAction, Cause], Request]:
    def end(details: TaskAction, cause: Cause) -> Request:
        selectors: JsonObject = {
            "workflowId": details.workflow_id,
            "taskId": details.task_id,
            "taskRefName": details.task_ref_name,
            "reasonForIncompletion": details.reason_for_incompletion,
        }
        output = _filled({**selectors, **details.output}, cause)
        chosen = _filled(selectors, cause)
        said: JsonObject = {
            "status": status.value,
            "output": {**output, **cause.marks},
            "reason": chosen["reasonForIncompletion"],
        }
        if details.task_id:
            task_id = _text(chosen, "taskId")
            parts = split_task_id(task_id)
            if parts is None:
                raise BadMessage(f"taskId {task_id[:200]!r} is no task's id")
            return cause.request(parts[0], "update_task", taskId=task_id, **said)
        workflow_id, ref = _text(chosen, "workflowId"), _text(chosen, "taskRefName")
        return cause.request(workflow_id, "update_task", ref=ref, **said)

    return end


def _run_lacks(details: TerminateAction | VariablesAction) -> Iterator[Lack]:
    if not details.workflow_id:
        yield "workflowId", "names the run"


def _terminate(details: TerminateAction, cause: Cause) -> Request:
    wanted = _filled(details.to_json(), cause)
    return cause.request(_text(wanted, "workflowId"), "terminate", reason=wanted.get("terminationReason"))


def _update_variables(details: VariablesAction, cause: Cause) -> Request:
    wanted = _filled(details.to_json(), cause)
    return cause.request(
        _text(wanted, "workflowId"),
        "update_variables",
        variables=wanted.get("variables"),
        appendArray=details.append_array,
    )


#: Every kind of action by the name that handlers give it.
ACTIONS: Final[Mapping[str, Action]] = {
    "start_workflow": Action(_start_lacks, _start),
    "complete_task": Action(_task_lacks, _ending(TaskStatus.COMPLETED)),
    "fail_task": Action(_task_lacks, _ending(TaskStatus.FAILED)),
    "terminate_workflow": Action(_run_lacks, _terminate),
    "update_workflow_variables": Action(_run_lacks, _update_variables),
}


def _filled(value: JsonObject, cause: Cause) -> JsonObject:
    filled = cause.fill(value)
    assert isinstance(filled, Mapping), "filling keeps the shape"
    return filled


def _text(wanted: JsonObject, field: str) -> str:
    value = wanted.get(field)
    if not isinstance(value, str) or not value.strip():
        raise BadMessage(f"{field} is {'null' if value is None else repr(value)[:100]}: the message does not name it")
    return value
