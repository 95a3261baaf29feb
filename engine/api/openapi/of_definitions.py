"""Operations on what is registered: definitions, event handlers, schedules, schemas and webhooks."""

from __future__ import annotations

from typing import Final

from engine.api.openapi import examples
from engine.api.openapi.shape import NOTHING, Body, Shape, gives, list_of, map_of, one_of, ref

_WORKFLOW: Final = Body(ref("WorkflowDef"), examples.WORKFLOW_DEF)
_WORKFLOWS: Final = Body(list_of(ref("WorkflowDef")), [examples.WORKFLOW_DEF])
_TASKS: Final = Body(one_of(list_of(ref("TaskDef")), ref("TaskDef")), [examples.TASK_DEF])
_ONE_TASK: Final = Body(one_of(ref("TaskDef"), list_of(ref("TaskDef"))), examples.TASK_DEF)
_HANDLER: Final = Body(ref("EventHandler"), examples.EVENT_HANDLER)
_HANDLERS: Final = Body(one_of(ref("EventHandler"), list_of(ref("EventHandler"))), examples.EVENT_HANDLER)
_SCHEDULE: Final = Body(ref("Schedule"), examples.SCHEDULE)
_SCHEMAS: Final = Body(one_of(ref("SchemaDef"), list_of(ref("SchemaDef"))), examples.SCHEMA)
_WEBHOOK: Final = Body(ref("Webhook"), examples.WEBHOOK)
_NAMES: Final = Body(list_of({"type": "string"}), ["nightly"])

_ONE_VERSION: Final = {"name": "thumbnails", "version": 1, "createTime": 1_700_000_000_000, "updateTime": 0}
_WARNED: Final = gives(ref("Warnings"), {"warnings": []})
_BULK: Final = gives(ref("BulkResponse"), {"bulkErrorResults": {}, "bulkSuccessfulResults": ["thumbnails"]})

_FOUND: Final = gives(ref("SearchResult"), {"totalHits": 0, "results": []})

_METADATA: Final = {
    "POST /api/metadata/workflow": Shape(takes=_WORKFLOW, gives=NOTHING),
    "PUT /api/metadata/workflow": Shape(takes=_WORKFLOWS, gives=_BULK),
    "POST /api/metadata/workflow/validate": Shape(takes=_WORKFLOW, gives=_WARNED),
    "GET /api/metadata/workflow": Shape(gives=gives(list_of(ref("WorkflowDef")))),
    "GET /api/metadata/workflow/latest-versions": Shape(gives=gives(list_of(ref("WorkflowDef")))),
    "GET /api/metadata/workflow/names": Shape(gives=gives(list_of({"type": "string"}), ["thumbnails"])),
    "GET /api/metadata/workflow/names-and-versions": Shape(
        gives=gives(map_of(list_of(ref("DefinitionVersion"))), {"thumbnails": [_ONE_VERSION]})
    ),
    "GET /api/metadata/workflow/{name}": Shape(gives=gives(ref("WorkflowDef"), examples.WORKFLOW_DEF)),
    "GET /api/metadata/workflow/{name}/versions": Shape(gives=gives(list_of(ref("DefinitionVersion")), [_ONE_VERSION])),
    "DELETE /api/metadata/workflow/{name}/{version}": Shape(gives=NOTHING),
    "POST /api/metadata/taskdefs": Shape(takes=_TASKS, gives=NOTHING),
    "PUT /api/metadata/taskdefs": Shape(takes=_ONE_TASK, gives=NOTHING),
    "POST /api/metadata/taskdefs/validate": Shape(takes=Body(ref("TaskDef"), examples.TASK_DEF), gives=_WARNED),
    "GET /api/metadata/taskdefs": Shape(gives=gives(list_of(ref("TaskDef")))),
    "GET /api/metadata/taskdefs/{name}": Shape(gives=gives(ref("TaskDef"), examples.TASK_DEF)),
    "DELETE /api/metadata/taskdefs/{name}": Shape(gives=NOTHING),
}

_SCHEMA: Final = {
    "POST /api/schema": Shape(takes=_SCHEMAS, gives=NOTHING),
    "GET /api/schema": Shape(gives=gives(list_of(ref("SchemaDef")))),
    "GET /api/schema/{name}": Shape(gives=gives(ref("SchemaDef"), examples.SCHEMA)),
    "GET /api/schema/{name}/{version}": Shape(gives=gives(ref("SchemaDef"), examples.SCHEMA)),
    "DELETE /api/schema/{name}": Shape(gives=NOTHING),
    "DELETE /api/schema/{name}/{version}": Shape(gives=NOTHING),
}

_EVENT: Final = {
    "POST /api/event": Shape(takes=_HANDLERS, gives=NOTHING),
    "PUT /api/event": Shape(takes=_HANDLER, gives=NOTHING),
    "GET /api/event": Shape(gives=gives(list_of(ref("EventHandler")))),
    "GET /api/event/handler/{name}": Shape(gives=gives(ref("EventHandler"), examples.EVENT_HANDLER)),
    "GET /api/event/{event}": Shape(gives=gives(list_of(ref("EventHandler")))),
    "GET /api/event/execution": Shape(gives=gives(one_of(list_of({"type": "object"}), {"type": "object"}))),
    "GET /api/event/execution/{handler}": Shape(gives=gives(list_of({"type": "object"}))),
    "DELETE /api/event/{name}": Shape(gives=NOTHING),
}

_SCHEDULER: Final = {
    "POST /api/scheduler/schedules": Shape(takes=_SCHEDULE, gives=gives(ref("Schedule"), examples.SCHEDULE)),
    "GET /api/scheduler/schedules": Shape(gives=gives(list_of(ref("Schedule")))),
    "GET /api/scheduler/schedules/{name}": Shape(gives=gives(ref("Schedule"), examples.SCHEDULE)),
    "DELETE /api/scheduler/schedules/{name}": Shape(gives=NOTHING),
    "PUT /api/scheduler/schedules/{name}/pause": Shape(gives=NOTHING),
    "PUT /api/scheduler/schedules/{name}/resume": Shape(gives=NOTHING),
    "PUT /api/scheduler/bulk/pause": Shape(takes=_NAMES, gives=_BULK),
    "PUT /api/scheduler/bulk/resume": Shape(takes=_NAMES, gives=_BULK),
    "GET /api/scheduler/admin/pause": Shape(gives=_BULK, also=(403,)),
    "GET /api/scheduler/admin/resume": Shape(gives=_BULK, also=(403,)),
    "GET /api/scheduler/admin/requeue": Shape(gives=gives({"type": "object"}, {})),
    "PUT /api/scheduler/admin/pause": Shape(gives=_BULK),
    "PUT /api/scheduler/admin/resume": Shape(gives=_BULK),
    "GET /api/scheduler/schedules/search": Shape(gives=_FOUND),
    "GET /api/scheduler/search/executions": Shape(gives=_FOUND),
    "GET /api/scheduler/nextFewSchedules": Shape(gives=gives(list_of({"type": "integer"}), [1_767_225_600_000])),
}

_WEBHOOKS: Final = {
    "POST /api/metadata/webhook": Shape(takes=_WEBHOOK, gives=gives(ref("Webhook"), examples.WEBHOOK)),
    "GET /api/metadata/webhook": Shape(gives=gives(list_of(ref("Webhook")))),
    "GET /api/metadata/webhook/{webhook_id}": Shape(gives=gives(ref("Webhook"), examples.WEBHOOK)),
    "PUT /api/metadata/webhook/{webhook_id}": Shape(takes=_WEBHOOK, gives=gives(ref("Webhook"), examples.WEBHOOK)),
    "DELETE /api/metadata/webhook/{webhook_id}": Shape(gives=NOTHING),
    **{
        f"{method} {prefix}/webhook/{{webhook_id}}": shape
        for prefix in ("", "/api")
        for method, shape in (
            ("GET", Shape(gives=NOTHING)),
            ("POST", Shape(takes=Body({}, {"id": "evt_1", "type": "payment"}), also=(401,))),
        )
    },
}

SHAPES: Final = {**_METADATA, **_SCHEMA, **_EVENT, **_SCHEDULER, **_WEBHOOKS}
