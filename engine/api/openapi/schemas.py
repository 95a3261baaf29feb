"""The schemas of the document: what people write is read from the models, what clients see is written here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.api.openapi.shape import OBJECT, list_of, map_of, ref
from engine.model.definition import TaskDef, WorkflowDef, Written
from engine.model.event_handler import EventHandler
from engine.model.payload import Json
from engine.model.schedule import Schedule
from engine.model.schema_def import SchemaDef
from engine.model.status import TaskStatus, WorkflowStatus
from engine.model.webhook import Webhook

_TEXT: Final[Json] = {"type": "string"}
_WHOLE: Final[Json] = {"type": "integer"}
_FLAG: Final[Json] = {"type": "boolean"}
_WHEN: Final[Json] = {"type": "integer", "description": "epoch milliseconds, 0 for never"}
_ISO: Final[Json] = {"type": "string", "description": "ISO 8601 in UTC"}

#: What people write; where they name each other, by the names of their classes.
_WRITTEN: Final[tuple[type[Written], ...]] = (WorkflowDef, TaskDef, EventHandler, Schedule, SchemaDef, Webhook)


def _object(required: Iterable[str] = (), **properties: Json) -> Json:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _texts(*names: str) -> dict[str, Json]:
    return dict.fromkeys(names, _TEXT)


def _times(*names: str) -> dict[str, Json]:
    return dict.fromkeys(names, _WHEN)


_RUN: Final[Json] = _object(
    ("workflowId", "workflowName", "workflowVersion", "status", "tasks", "input", "output", "workflowDefinition"),
    **_texts("workflowId", "workflowName", "correlationId", "reasonForIncompletion", "event", "ownerApp", "createdBy"),
    **_texts("parentWorkflowId", "parentWorkflowTaskId", "idempotencyKey", "rateLimitKey"),
    **_texts("externalInputPayloadStoragePath", "externalOutputPayloadStoragePath"),
    **_times("createTime", "startTime", "updateTime", "endTime", "lastRetriedTime"),
    workflowVersion=_WHOLE,
    status={"enum": [status.value for status in WorkflowStatus]},
    priority=_WHOLE,
    input=OBJECT,
    output=OBJECT,
    variables=OBJECT,
    taskToDomain=OBJECT,
    tasks=list_of(ref("Task")),
    workflowDefinition=ref("WorkflowDef"),
    failedReferenceTaskNames=list_of(_TEXT),
    failedTaskNames=list_of(_TEXT),
    rateLimited=_FLAG,
    history=list_of(OBJECT),
)

_TASK: Final[Json] = _object(
    ("taskId", "taskType", "taskDefName", "referenceTaskName", "status", "inputData", "outputData", "workflowTask"),
    **_texts("taskId", "taskType", "taskDefName", "referenceTaskName", "workflowInstanceId", "workflowType"),
    **_texts("correlationId", "reasonForIncompletion", "workerId", "domain", "retriedTaskId", "subWorkflowId"),
    **_texts("externalInputPayloadStoragePath", "externalOutputPayloadStoragePath"),
    **_times("scheduledTime", "startTime", "updateTime", "endTime", "firstStartTime"),
    **dict.fromkeys(
        ("seq", "retryCount", "pollCount", "iteration", "workflowPriority", "callbackAfterSeconds"), _WHOLE
    ),
    **dict.fromkeys(("responseTimeoutSeconds", "startDelayInSeconds", "queueWaitTime"), _WHOLE),
    **dict.fromkeys(("retried", "executed", "loopOverTask", "callbackFromWorker"), _FLAG),
    status={"enum": [status.value for status in TaskStatus]},
    inputData=OBJECT,
    outputData=OBJECT,
    workflowTask=ref("WorkflowTask"),
    taskDefinition=ref("TaskDef"),
    executionMetadata=OBJECT,
    runtimeMetadata=map_of(_TEXT),
)

_SUMMARY: Final[Json] = _object(
    ("workflowId", "workflowType", "version", "status", "startTime"),
    **_texts("workflowId", "workflowType", "correlationId", "input", "output", "reasonForIncompletion", "event"),
    **_texts("failedReferenceTaskNames", "createdBy", "idempotencyKey", "parentWorkflowId"),
    **dict.fromkeys(("startTime", "updateTime", "endTime"), _ISO),
    **dict.fromkeys(("version", "executionTime", "priority", "inputSize", "outputSize"), _WHOLE),
    status={"enum": [status.value for status in WorkflowStatus]},
    failedTaskNames=list_of(_TEXT),
    taskToDomain=OBJECT,
)

_START: Final[Json] = _object(
    ("name",),
    **_texts("correlationId", "externalInputPayloadStoragePath", "idempotencyKey", "createdBy"),
    name={"type": "string", "minLength": 1, "maxLength": 512},
    version={"type": ["integer", "null"], "description": "the latest when it is missing"},
    input=OBJECT,
    priority={"type": "integer", "minimum": 0, "maximum": 99},
    taskToDomain=map_of(_TEXT),
    workflowDef=ref("WorkflowDef"),
    idempotencyStrategy={"enum": ["FAIL", "RETURN_EXISTING", "FAIL_ON_RUNNING"]},
)

_TASK_RESULT: Final[Json] = _object(
    ("workflowInstanceId", "taskId", "status"),
    **_texts("workflowInstanceId", "taskId", "reasonForIncompletion", "workerId", "externalOutputPayloadStoragePath"),
    status={"enum": ["IN_PROGRESS", "COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED"]},
    outputData=OBJECT,
    callbackAfterSeconds={"type": "integer", "minimum": 0},
    extendLease=_FLAG,
    logs=list_of(OBJECT),
)

#: What clients see, and what they send beside definitions.
_SEEN: Final[dict[str, Json]] = {
    "Workflow": _RUN,
    "Task": _TASK,
    "WorkflowSummary": _SUMMARY,
    "StartWorkflowRequest": _START,
    "TaskResult": _TASK_RESULT,
    "WorkflowStatus": _object(
        ("workflowId", "status"), **_texts("workflowId", "correlationId", "status"), output=OBJECT, variables=OBJECT
    ),
    "SignalResponse": _object(
        ("responseType", "targetWorkflowId", "targetWorkflowStatus", "requestId", "signalTimeout", "workflowId"),
        **_texts(
            "responseType",
            "targetWorkflowId",
            "targetWorkflowStatus",
            "requestId",
            "workflowId",
            "workflowType",
            "correlationId",
            "status",
            "reasonForIncompletion",
            "createdBy",
            "taskId",
            "taskType",
            "taskDefName",
            "referenceTaskName",
            "retriedTaskId",
        ),
        **_times("createTime", "updateTime"),
        signalTimeout={"type": "boolean", "description": "the time was up before the run had come to rest"},
        input=OBJECT,
        output=OBJECT,
        variables=OBJECT,
        priority=_WHOLE,
        retryCount=_WHOLE,
        tasks=list_of(ref("Task")),
    ),
    "BulkResponse": _object(
        ("bulkErrorResults", "bulkSuccessfulResults"), bulkErrorResults=map_of(_TEXT), bulkSuccessfulResults=list_of({})
    ),
    "Error": _object(
        ("status", "message", "instance", "retryable"),
        **_texts("message", "instance"),
        status={"type": "integer", "description": "the HTTP status"},
        retryable={"type": "boolean", "description": "whether the same call may succeed later"},
        validationErrors=list_of(_object(("path", "message"), **_texts("path", "message"))),
    ),
    "RerunWorkflowRequest": _object(
        **_texts("reRunFromTaskId", "correlationId"), taskInput=OBJECT, workflowInput=OBJECT
    ),
    "SkipTaskRequest": _object(taskInput=OBJECT, taskOutput=OBJECT),
    "WorkflowStateUpdate": _object(**_texts("taskReferenceName"), taskResult=OBJECT, variables=OBJECT),
    "UpgradeRequest": _object(**_texts("name"), version=_WHOLE, workflowInput=OBJECT),
    "SearchResult": _object(("totalHits", "results"), totalHits=_WHOLE, results=list_of(OBJECT)),
    "DefinitionVersion": _object(
        ("name", "version"), **_texts("name"), **_times("createTime", "updateTime"), version=_WHOLE
    ),
    "Warnings": _object(("warnings",), warnings=list_of(_object(("message",), **_texts("path", "message")))),
    "Health": _object(
        ("healthy", "healthResults"),
        healthy=_FLAG,
        healthResults=list_of(OBJECT),
        suppressedHealthResults=list_of(OBJECT),
    ),
}


def schemas() -> dict[str, Json]:
    """Return every schema by its name."""
    found: dict[str, Json] = {}
    for each in _WRITTEN:
        schema = each.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[each.__name__] = schema
    return {name: _untitled(schema) for name, schema in found.items()} | _SEEN


def _untitled(schema: Json) -> Json:
    """Return a schema without titles, which only repeat the names of fields."""
    fields = {name: _untitled(each) for name, each in schema.get("properties", {}).items()}
    return {
        **{key: value for key, value in schema.items() if key != "title"},
        **({"properties": fields} if fields else {}),
    }
