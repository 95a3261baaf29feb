"""Bodies that can be sent as they stand: to a new server the definitions first, then the start."""

from __future__ import annotations

from typing import Final

from engine.model.payload import Json

RUN_ID: Final = "0198f2c4-7a10-7c3e-9f51-4a0e6b1f2d3c"

TASK_DEF: Final[Json] = {
    "name": "resize_image",
    "retryCount": 2,
    "retryDelaySeconds": 5,
    "timeoutSeconds": 120,
    "responseTimeoutSeconds": 60,
}

WORKFLOW_DEF: Final[Json] = {
    "name": "thumbnails",
    "version": 1,
    "description": "Makes a thumbnail and waits for somebody to approve it",
    "inputParameters": ["url"],
    "tasks": [
        {
            "name": "resize_image",
            "taskReferenceName": "small",
            "inputParameters": {"url": "${workflow.input.url}", "width": 200},
        },
        {"name": "approve", "taskReferenceName": "approve", "type": "HUMAN"},
    ],
    "outputParameters": {"thumbnail": "${small.output.url}"},
}

START: Final[Json] = {
    "name": "thumbnails",
    "version": 1,
    "input": {"url": "https://example.com/cat.png"},
    "correlationId": "order-17",
    "priority": 50,
}

TOLD: Final[Json] = {
    "responseType": "BLOCKING_TASK",
    "targetWorkflowId": RUN_ID,
    "targetWorkflowStatus": "RUNNING",
    "requestId": "0198f2c4-7a11-7b02-8d11-6f0e2b7c9a55",
    "signalTimeout": False,
    "workflowId": RUN_ID,
    "workflowType": "thumbnails",
    "taskId": f"{RUN_ID}.2",
    "taskType": "HUMAN",
    "referenceTaskName": "approve",
    "status": "IN_PROGRESS",
    "input": {},
    "output": {},
}

TASK_RESULT: Final[Json] = {
    "workflowInstanceId": RUN_ID,
    "taskId": f"{RUN_ID}.1",
    "status": "COMPLETED",
    "outputData": {"url": "https://example.com/cat-200.png"},
    "workerId": "worker-1",
}

STATE_UPDATE: Final[Json] = {
    "variables": {"approved": True},
    "taskReferenceName": "approve",
    "taskResult": {"status": "COMPLETED", "outputData": {"by": "Grace"}},
}

EVENT_HANDLER: Final[Json] = {
    "name": "orders",
    "event": "amqp_queue:orders",
    "condition": "$.paid == true",
    "actions": [{"action": "start_workflow", "start_workflow": {"name": "thumbnails", "input": {"url": "${url}"}}}],
    "active": True,
}

SCHEDULE: Final[Json] = {
    "name": "nightly",
    "cronExpression": "0 30 2 * * *",
    "zoneId": "Europe/Berlin",
    "startWorkflowRequest": {"name": "thumbnails", "input": {"url": "https://example.com/cat.png"}},
}

SCHEMA: Final[Json] = {
    "name": "image",
    "version": 1,
    "type": "JSON",
    "data": {"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}},
}

WEBHOOK: Final[Json] = {
    "name": "payments",
    "verifier": "HEADER_BASED",
    "headers": {"X-Api-Key": "${workflow.secrets.PAYMENTS_KEY}"},
    "workflowsToStart": {"thumbnails": 1},
}

REHEARSAL: Final[Json] = {
    "name": "thumbnails",
    "workflowDef": WORKFLOW_DEF,
    "input": {"url": "https://example.com/cat.png"},
    "taskRefToMockOutput": {
        "small": [{"status": "COMPLETED", "output": {"url": "https://example.com/cat-200.png"}}],
        "approve": [{"status": "COMPLETED", "output": {"by": "Ada"}}],
    },
}

BULK: Final[Json] = {
    "bulkErrorResults": {"unknown": "No workflow has the id 'unknown'."},
    "bulkSuccessfulResults": [RUN_ID],
}
