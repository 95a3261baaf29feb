"""What an event from outside does: it ends the tasks that wait for it and starts workflows, all by messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from uuid import NAMESPACE_OID, uuid5

from engine.api.requester import Requester
from engine.errors import BadExpression
from engine.expression.budget import Budget
from engine.expression.jsonpath import compile_path
from engine.model.event import StartWorkflow
from engine.model.execution import task_id
from engine.model.payload import Json, JsonObject
from engine.model.request import Request
from engine.model.status import TaskStatus
from engine.model.webhook import Webhook
from engine.store.port import Store
from engine.store.webhook_port import Shape, WaitingKey
from engine.wire.event_digest import event_digest

#: Tasks that are told with one publication.
_MOST_AT_ONCE = 500


def carry(store: Store, requester: Requester, webhook: Webhook, payload: Json, receipt: str) -> dict[str, Json]:
    """Send what an event leads to, and return how much that was once the broker has confirmed all of it.

    ``receipt`` is the same for an event that is delivered twice, so that nothing is started twice.
    """
    output: JsonObject = payload if isinstance(payload, dict) else {"payload": payload}
    starts = list(_starts(webhook, output, receipt))
    if starts:
        requester.send(starts)
    completed = 0
    digests = _digests(store, webhook, payload)
    after: WaitingKey = ("", 0)
    while digests:
        with store.transaction() as tx:
            found = tx.waiting_for(digests, after, _MOST_AT_ONCE)
        if found:
            requester.send([_completion(webhook, key, output, receipt) for key in found])
            completed += len(found)
            after = found[-1]
        if len(found) < _MOST_AT_ONCE:
            break
    return {"tasks": completed, "workflows": len(starts)}


def _digests(store: Store, webhook: Webhook, payload: Json) -> list[str]:
    """Return what tasks of the receiving workflows may wait for that this event has."""
    receivers = webhook.receiver_workflow_names_to_versions
    if not receivers:
        return []
    with store.transaction() as tx:
        shapes = tx.shapes(list(receivers))
    wanted = (each for each in shapes if receivers[each.workflow] in (None, each.version))
    return [digest for shape in wanted if (digest := _digest(shape, payload)) is not None]


def _digest(shape: Shape, payload: Json) -> str | None:
    """Return the digest of what the paths find in an event; None where one of them finds nothing."""
    found: dict[str, Json] = {}
    for path in shape.paths:
        try:
            found[path] = compile_path(path).find(payload, Budget())
        except BadExpression:
            return None
        if found[path] is None:
            return None
    return event_digest(shape.workflow, shape.version, found)


def _starts(webhook: Webhook, output: JsonObject, receipt: str) -> Iterator[StartWorkflow]:
    for name, version in webhook.workflows_to_start.items():
        identity = str(uuid5(NAMESPACE_OID, f"baton webhook {webhook.id} {receipt} {name}"))
        yield StartWorkflow(
            event_id=identity,
            workflow_id=identity,
            name=name,
            version=version or None,
            input=output,
            event=f"webhook:{webhook.name}",
        )


def _completion(webhook: Webhook, key: WaitingKey, output: JsonObject, receipt: str) -> Request:
    task = task_id(*key)
    return Request(
        event_id=hashlib.sha256(f"{webhook.id}\n{receipt}\n{task}".encode()).hexdigest(),
        workflow_id=key[0],
        verb="update_task",
        arguments={"taskId": task, "status": TaskStatus.COMPLETED.value, "output": output},
        by=f"webhook {webhook.name}",
    )
