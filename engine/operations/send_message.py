"""send_message: puts a message into a running workflow, for the task that takes it (Conductor 4.18)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.clock import iso
from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Keep the ``payload`` with the run; the first task that waits for a message gets it at once."""
    workflow = desk.workflow
    if workflow.status is not WorkflowStatus.RUNNING:
        return refused(409, f"Workflow {workflow.id} is {workflow.status}: messages are for runs that are RUNNING.")
    payload = request.arguments.get("payload")
    if not isinstance(payload, Mapping):
        return refused(400, "The message must be a JSON object.")
    message = {
        "id": request.event_id,
        "workflowId": workflow.id,
        "payload": payload,
        "receivedAt": iso(desk.now),
    }
    waiting = (*workflow.messages, message)
    most, most_bytes = desk.messages_limit
    if len(msgspec.json.encode(message)) > most_bytes:
        return refused(400, f"The message is larger than all that may wait in a run, {most_bytes:,} bytes.")
    if len(waiting) > most or len(msgspec.json.encode(waiting)) > most_bytes:
        return refused(
            429,
            f"{len(workflow.messages):,} messages wait in workflow {workflow.id} already; there is room for {most:,} "
            f"of together {most_bytes:,} bytes. Send it again once a task has taken some.",
        )
    desk.change_workflow(messages=waiting)
    taker = next((task for task in desk.open_tasks() if desk.takes_messages(task)), None)
    if taker is not None:
        desk.hand_over_messages(taker)
    return granted(messageId=request.event_id)
