"""Operations that are answered when a run has come to rest, and live streams."""

from __future__ import annotations

from typing import Final

from engine.api.openapi import examples
from engine.api.openapi.shape import NO_CONTENT, OBJECT, Answer, Body, Shape, gives, ref

_OUTPUT: Final = Body(OBJECT, {"approved": True}, required=False)
_TOLD: Final = gives(ref("SignalResponse"), examples.TOLD)
_EVENTS: Final = (Answer(schema={"type": "string"}, media="text/event-stream"),)

SHAPES: Final = {
    "POST /api/workflow/execute/{name}/{version}": Shape(
        takes=Body(ref("StartWorkflowRequest"), examples.START, required=False), gives=_TOLD
    ),
    "POST /api/workflow/{workflow_id}/state": Shape(
        takes=Body(ref("WorkflowStateUpdate"), examples.STATE_UPDATE, required=False), gives=_TOLD
    ),
    "POST /api/tasks/{workflow_id}/{status}/signal/sync": Shape(takes=_OUTPUT, gives=_TOLD),
    "POST /api/tasks/{workflow_id}/{ref}/{status}/sync": Shape(takes=_OUTPUT, gives=gives(ref("Workflow"))),
    "GET /api/workflow/{workflow_id}/stream": Shape(gives=(*_EVENTS, *NO_CONTENT)),
    "GET /api/stream": Shape(gives=_EVENTS),
}
