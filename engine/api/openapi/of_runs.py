"""Operations on runs and their tasks."""

from __future__ import annotations

from typing import Final

from engine.api.openapi import examples
from engine.api.openapi.examples import RUN_ID
from engine.api.openapi.shape import (
    NO_CONTENT,
    NOTHING,
    OBJECT,
    Body,
    Shape,
    gives,
    gives_text,
    list_of,
    map_of,
    ref,
)

_ID: Final = gives_text(RUN_ID)
_RUNS: Final = list_of(ref("Workflow"))
_INPUT: Final = Body(OBJECT, {"url": "https://example.com/cat.png"}, required=False)
_OUTPUT: Final = Body(OBJECT, {"approved": True}, required=False)
_IDS: Final = Body({**list_of({"type": "string"}), "minItems": 1, "maxItems": 1000}, [RUN_ID, "unknown"])
_BULK: Final = gives(ref("BulkResponse"), examples.BULK)
_TEXTS: Final = list_of({"type": "string"})

_SIGNALLED: Final = {"responseType": "TARGET_WORKFLOW", "targetWorkflowId": RUN_ID, "status": "COMPLETED", "output": {}}

_STARTING: Final = {
    "POST /api/workflow": Shape(takes=Body(ref("StartWorkflowRequest"), examples.START), gives=_ID),
    "POST /api/workflow/{name}": Shape(takes=_INPUT, gives=_ID),
    "POST /api/workflow/execute/{name}/{version}": Shape(
        takes=Body(ref("StartWorkflowRequest"), examples.START), gives=gives(OBJECT, _SIGNALLED)
    ),
    "POST /api/workflow/test": Shape(takes=Body(OBJECT, examples.REHEARSAL), gives=gives(ref("Workflow"))),
}

_LOOKING: Final = {
    "GET /api/workflow/{workflow_id}": Shape(gives=gives(ref("Workflow"))),
    "GET /api/workflow/{workflow_id}/status": Shape(
        gives=gives(ref("WorkflowStatus"), {"workflowId": RUN_ID, "status": "RUNNING"})
    ),
    "GET /api/workflow/{workflow_id}/size": Shape(
        gives=gives(OBJECT, {"sizeBytes": 3881, "limitBytes": 0, "ratio": 0})
    ),
    "GET /api/workflow/{workflow_id}/tasks": Shape(gives=gives(ref("SearchResult"), {"totalHits": 0, "results": []})),
    "GET /api/workflow/{workflow_id}/history": Shape(gives=gives(list_of(OBJECT))),
    "GET /api/workflow/{workflow_id}/requests": Shape(gives=gives(list_of(OBJECT))),
    "GET /api/workflow/running/{name}": Shape(gives=gives(_TEXTS, [RUN_ID])),
    "GET /api/workflow/{name}/correlated/{correlation_id}": Shape(gives=gives(_RUNS)),
    "POST /api/workflow/{name}/correlated": Shape(takes=Body(_TEXTS, ["order-17"]), gives=gives(map_of(_RUNS))),
    "POST /api/workflow/correlated/batch": Shape(
        takes=Body(OBJECT, {"workflowNames": ["thumbnails"], "correlationIds": ["order-17"]}),
        gives=gives(map_of(_RUNS)),
    ),
}

_SEARCHING: Final = {
    f"GET /api/{kind}/{search}": Shape(gives=gives(ref("SearchResult"), {"totalHits": 0, "results": []}))
    for kind, searches in (
        ("workflow", ("search", "search-v2", "search-by-tasks", "search-by-tasks-v2")),
        ("tasks", ("search", "search-v2")),
    )
    for search in searches
}

_POLLING: Final = {
    "GET /api/tasks/poll/{task_type}": Shape(gives=(*gives(ref("Task")), *NO_CONTENT)),
    "GET /api/tasks/poll/batch/{task_type}": Shape(gives=gives(list_of(ref("Task")))),
    "POST /api/tasks/update-v2": Shape(
        takes=Body(ref("TaskResult"), examples.TASK_RESULT), gives=(*gives(ref("Task")), *NO_CONTENT)
    ),
}

_ENTRY: Final = {"log": "resized in 80 ms", "taskId": f"{RUN_ID}.1", "createdTime": 1893456000000}
_POLL: Final = {"queueName": "resize", "domain": "blue", "workerId": "w1", "lastPollTime": 1893456000000}
_NUMBER: Final = {"type": "integer"}

_WORKERS: Final = {
    "POST /api/tasks/{task_id}/log": Shape(
        takes=Body({"type": "string"}, "resized in 80 ms"), gives=NOTHING, also=(403,)
    ),
    "GET /api/tasks/{task_id}/log": Shape(gives=(*gives(list_of(OBJECT), [_ENTRY]), *NO_CONTENT)),
    "GET /api/tasks/queue/size": Shape(gives=gives(_NUMBER, 3)),
    "GET /api/tasks/queue/sizes": Shape(gives=gives(map_of(_NUMBER), {"resize": 3})),
    "GET /api/tasks/queue/all": Shape(gives=gives(map_of(_NUMBER), {"resize": 3, "blue:resize": 0})),
    "GET /api/tasks/queue/all/verbose": Shape(
        gives=gives(map_of(map_of(OBJECT)), {"resize": {"a": {"size": 3, "uacked": 1}}})
    ),
    "GET /api/tasks/queue/polldata": Shape(gives=gives(list_of(OBJECT), [_POLL])),
    "GET /api/tasks/queue/polldata/all": Shape(gives=gives(list_of(OBJECT), [_POLL])),
    "POST /api/tasks/queue/requeue/{task_type}": Shape(gives=gives_text("2")),
}

_CHANGING: Final = {
    "PUT /api/workflow/decide/{workflow_id}": Shape(gives=NOTHING),
    "PUT /api/workflow/{workflow_id}/pause": Shape(gives=NOTHING),
    "PUT /api/workflow/{workflow_id}/resume": Shape(gives=NOTHING),
    "DELETE /api/workflow/{workflow_id}": Shape(gives=NOTHING),
    "DELETE /api/workflow/{workflow_id}/remove": Shape(gives=NOTHING),
    "DELETE /api/workflow/{workflow_id}/terminate-remove": Shape(gives=NOTHING),
    "POST /api/workflow/{workflow_id}/retry": Shape(gives=NO_CONTENT),
    "POST /api/workflow/{workflow_id}/restart": Shape(gives=NO_CONTENT),
    "POST /api/workflow/{workflow_id}/resetcallbacks": Shape(gives=NO_CONTENT),
    "POST /api/workflow/{workflow_id}/rerun": Shape(
        takes=Body(ref("RerunWorkflowRequest"), {"reRunFromTaskId": f"{RUN_ID}.1"}, required=False), gives=_ID
    ),
    "PUT /api/workflow/{workflow_id}/skiptask/{ref}": Shape(
        takes=Body(ref("SkipTaskRequest"), {"taskOutput": {"approved": True}}, required=False), gives=NOTHING
    ),
    "POST /api/workflow/{workflow_id}/jump/{ref}": Shape(takes=_INPUT, gives=NOTHING),
    "POST /api/workflow/{workflow_id}/upgrade": Shape(
        takes=Body(ref("UpgradeRequest"), {"version": 2}, required=False), gives=NOTHING
    ),
    "POST /api/workflow/{workflow_id}/variables": Shape(
        takes=Body(OBJECT, {"width": 300}), gives=gives(ref("Workflow"))
    ),
    "POST /api/workflow/{workflow_id}/messages": Shape(takes=Body(OBJECT, {"text": "hello"}), gives=_ID),
}

_BULKS: Final = {
    f"{method} /api/workflow/bulk/{verb}": Shape(takes=_IDS, gives=_BULK)
    for method, verbs in (
        ("PUT", ("pause", "resume")),
        ("POST", ("restart", "retry", "terminate", "search")),
        ("DELETE", ("remove", "terminate-remove")),
    )
    for verb in verbs
}

_TASKS: Final = {
    "POST /api/tasks": Shape(takes=Body(ref("TaskResult"), examples.TASK_RESULT), gives=gives_text(f"{RUN_ID}.1")),
    "GET /api/tasks/{task_id}": Shape(gives=gives(ref("Task"))),
    "POST /api/tasks/{workflow_id}/{status}/signal/sync": Shape(takes=_OUTPUT, gives=gives(OBJECT, _SIGNALLED)),
    "POST /api/tasks/{workflow_id}/{ref}/{status}/sync": Shape(takes=_OUTPUT, gives=gives(ref("Workflow"))),
    "POST /api/tasks/{workflow_id}/{status}/signal": Shape(takes=_OUTPUT, gives=NOTHING),
    "POST /api/tasks/{workflow_id}/{ref}/{status}": Shape(takes=_OUTPUT, gives=gives_text(f"{RUN_ID}.1")),
    "POST /api/queue/update/{workflow_id}/{ref}/{status}": Shape(takes=_OUTPUT, gives=NOTHING),
    "POST /api/queue/update/{workflow_id}/task/{task_id}/{status}": Shape(takes=_OUTPUT, gives=NOTHING),
    "GET /api/admin/task/{task_type}": Shape(gives=gives(list_of(ref("Task")))),
}

SHAPES: Final = {**_STARTING, **_LOOKING, **_SEARCHING, **_POLLING, **_WORKERS, **_CHANGING, **_BULKS, **_TASKS}
