"""Operations on the server itself and on what is around it."""

from __future__ import annotations

from typing import Final

from engine.api.openapi.examples import RUN_ID
from engine.api.openapi.shape import NOTHING, OBJECT, Answer, Body, Shape, gives, gives_text, list_of, ref

_NAMES: Final = gives(list_of({"type": "string"}), ["PAYMENTS_KEY"])
_LOCATION: Final = gives(OBJECT, {"uri": "/api/external/ab/1234.json", "path": "ab/1234.json"})
_HEALTH: Final = Shape(
    gives=(
        *gives(ref("Health"), {"healthResults": [], "suppressedHealthResults": [], "healthy": True}),
        *gives(ref("Health"), {"healthResults": [], "suppressedHealthResults": [], "healthy": False}, status=503),
    ),
)

_METRICS: Final = Shape(gives=gives_text('baton_workflows{status="RUNNING"} 3.0\n'))

_SINK: Final = Body(OBJECT, {"sink": "https://example.com/notices"})

SHAPES: Final = {
    "GET /health": _HEALTH,
    "GET /api/health": _HEALTH,
    "GET /metrics": _METRICS,
    "GET /actuator/prometheus": _METRICS,
    "GET /api/version": Shape(gives=gives_text("0.1.0")),
    "GET /context.js": Shape(gives=(Answer(schema={"type": "string"}, media="text/javascript"),)),
    "POST /api/token": Shape(
        takes=Body(OBJECT, {"keyId": "key", "keySecret": "secret"}, required=False),
        gives=gives(OBJECT, {"token": "…"}),
    ),
    "GET /api/token/userInfo": Shape(gives=gives(OBJECT, {"id": "anonymous"})),
    "GET /api/environment": Shape(gives=gives(list_of(OBJECT), [{"name": "REGION", "value": "eu"}])),
    "GET /api/environment/{key}": Shape(gives=gives_text("eu")),
    "PUT /api/environment/{key}": Shape(gives=NOTHING, also=(501,)),
    "DELETE /api/environment/{key}": Shape(gives=NOTHING, also=(501,)),
    "GET /api/secrets": Shape(gives=_NAMES),
    "POST /api/secrets": Shape(gives=_NAMES),
    "GET /api/secrets/v2": Shape(gives=gives(list_of(OBJECT), [{"name": "PAYMENTS_KEY", "tags": []}])),
    "GET /api/secrets/{key}": Shape(gives=NOTHING, also=(403,)),
    "GET /api/secrets/{key}/exists": Shape(gives=gives({"type": "boolean"}, True)),
    "PUT /api/secrets/{key}": Shape(gives=NOTHING, also=(501,)),
    "DELETE /api/secrets/{key}": Shape(gives=NOTHING, also=(501,)),
    "GET /api/admin/config": Shape(gives=gives(OBJECT, {"partitions": 16})),
    "GET /api/admin/queues": Shape(gives=gives(OBJECT, {"amqp_queue:orders": "amqp_queue:orders"})),
    "POST /api/admin/sweep/requeue/{workflow_id}": Shape(gives=gives_text(f"true.{RUN_ID}")),
    "POST /api/admin/consistency/verifyAndRepair/{workflow_id}": Shape(gives=gives_text("false")),
    "GET /api/admin/dead": Shape(gives=gives(ref("SearchResult"), {"totalHits": 0, "results": []})),
    "GET /api/admin/dead/{letter}": Shape(gives=gives(OBJECT)),
    "POST /api/admin/dead/{letter}/requeue": Shape(gives=gives(OBJECT, {"id": "a1b2", "queue": "baton.start"})),
    "GET /api/admin/notices": Shape(gives=gives(OBJECT)),
    "POST /api/admin/notices/send": Shape(takes=_SINK, gives=gives(OBJECT, {"sent": 3})),
    "POST /api/admin/notices/drop": Shape(takes=_SINK, gives=gives(OBJECT, {"dropped": 3})),
    "GET /api/queue/size": Shape(gives=gives(OBJECT, {})),
    "GET /api/queue": Shape(gives=gives(OBJECT, {})),
    "GET /api/queue/": Shape(gives=gives(OBJECT, {})),
    "GET /api/workflow/externalstoragelocation": Shape(gives=_LOCATION),
    "GET /api/workflow/external-storage-location": Shape(gives=_LOCATION),
    "GET /api/tasks/externalstoragelocation": Shape(gives=_LOCATION),
    "GET /api/tasks/external-storage-location": Shape(gives=_LOCATION),
    "GET /api/external/{path}": Shape(gives=gives(OBJECT, {"url": "https://example.com/cat.png"})),
    "PUT /api/external/{path}": Shape(takes=Body(OBJECT, {"url": "https://example.com/cat.png"}), gives=NOTHING),
}
