"""Our own messages to the decider: requests, wake-ups, the news of children and slots, and the answers to requests."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from engine.model.event import ChildEnded, ChildStarted, SlotNews, Wake
from engine.model.payload import JsonObject
from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.wire.fields import Fields, read_object, write_json
from engine.wire.message import LONGEST_ID, Delivery, Message, expect_json
from engine.wire.partition import queue_of
from engine.wire.start_message import KIND_HEADER

REQUEST_KIND = "request"
WAKE_KIND = "wake"
CHILD_ENDED_KIND = "child_ended"
CHILD_STARTED_KIND = "child_started"
SLOT_KIND = "slot"
OUTCOME_KIND = "outcome"


def encode_request(request: Request, partitions: int) -> Message:
    """Return the message that carries a request to the partition of its workflow."""
    body: JsonObject = {
        "request": request.verb,
        "workflowId": request.workflow_id,
        "arguments": request.arguments,
        "by": request.by,
        **({"mayRepeat": True} if request.may_repeat else {}),
    }
    return Message(
        queue=queue_of(request.workflow_id, partitions),
        body=write_json(body),
        headers={KIND_HEADER: REQUEST_KIND},
        message_id=request.event_id,
        correlation_id=request.reply_id,
        reply_to=request.reply_to,
    )


def decode_request(delivery: Delivery) -> Request:
    """Read a request; raise ``BadMessage`` naming what is wrong."""
    fields = _fields(delivery, "request message")
    request = Request(
        event_id=_event_id(fields, delivery),
        workflow_id=fields.needed("workflowId"),
        verb=fields.needed("request"),
        arguments=fields.mapping("arguments"),
        by=fields.text("by"),
        may_repeat=fields.flag("mayRepeat"),
        reply_to=delivery.message.reply_to,
        reply_id=delivery.message.correlation_id,
    )
    fields.finish()
    return request


def encode_outcome(to: str, reply_id: str | None, outcome: Outcome) -> Message:
    """Return the answer to a request; transient, because nobody waits for it after a broker's restart."""
    body = {
        "granted": outcome.granted,
        "code": outcome.code,
        "message": outcome.message,
        "result": outcome.result,
    }
    return Message(
        queue=to,
        body=write_json(body),
        headers={KIND_HEADER: OUTCOME_KIND},
        correlation_id=reply_id,
        transient=True,
    )


def decode_outcome(delivery: Delivery) -> Outcome:
    """Read the answer to a request; raise ``BadMessage`` naming what is wrong."""
    fields = _fields(delivery, "answer")
    outcome = Outcome(
        granted=fields.flag("granted"),
        code=fields.integer("code") or 0,
        message=fields.text("message", limit=100_000) or "",
        result=fields.mapping("result"),
    )
    fields.finish()
    return outcome


def encode_wake(wake: Wake, partitions: int) -> Message:
    """Return the message that wakes a workflow."""
    body = {"wake": wake.workflow_id, "resend": wake.resend, "workersLost": wake.workers_lost}
    if wake.lost_queue is not None:
        body["lostQueue"] = wake.lost_queue
    return _ours(WAKE_KIND, wake.workflow_id, wake.event_id, body, partitions)


def decode_wake(delivery: Delivery) -> Wake:
    """Read a wake-up; raise ``BadMessage`` naming what is wrong."""
    fields = _fields(delivery, "wake message")
    wake = Wake(
        event_id=_event_id(fields, delivery),
        workflow_id=fields.needed("wake"),
        resend=fields.flag("resend"),
        workers_lost=fields.flag("workersLost"),
        lost_queue=fields.text("lostQueue"),
    )
    fields.finish()
    return wake


def encode_slot_news(news: SlotNews, partitions: int) -> Message:
    """Return the message that tells a waiting task of a slot."""
    body = {"slot": "granted" if news.granted else "ask", "workflowId": news.workflow_id, "seq": news.seq}
    return _ours(SLOT_KIND, news.workflow_id, news.event_id, body, partitions)


def decode_slot_news(delivery: Delivery) -> SlotNews:
    """Read the news of a slot; raise ``BadMessage`` naming what is wrong."""
    fields = _fields(delivery, "news of a slot")
    said = fields.one_of("slot", ("granted", "ask"))
    if said is None:
        fields.fault("slot", "is missing")
    # Below 0 it is the run itself that stands in line.
    workflow_id, seq = fields.needed("workflowId"), _seq(fields, low=-(2**31))
    event_id = _event_id(fields, delivery)
    fields.finish()
    return SlotNews(event_id=event_id, workflow_id=workflow_id, seq=seq, granted=said == "granted")


def encode_child_ended(news: ChildEnded, partitions: int) -> Message:
    """Return the message that tells a parent how its child ended."""
    body = {
        "childEnded": news.child_id,
        "workflowId": news.workflow_id,
        "seq": news.seq,
        "status": news.status.value,
        "output": news.output,
        "reason": news.reason,
    }
    return _ours(CHILD_ENDED_KIND, news.workflow_id, news.event_id, body, partitions)


def decode_child_ended(delivery: Delivery, limit: int | None = None) -> ChildEnded:
    """Read the news of a child's end; raise ``BadMessage`` naming what is wrong.

    News of more than ``limit`` bytes is that of a failure: were it refused, the parent would wait for ever.
    """
    body, subject = delivery.message.body, "news of a child's end"
    expect_json(delivery.message, subject)
    fields = Fields(read_object(body, subject, None), subject)
    status = fields.one_of("status", tuple(status.value for status in WorkflowStatus))
    if status is None:
        fields.fault("status", "is missing")
    workflow_id, seq, child_id = _child(fields, "childEnded")
    reason = fields.text("reason", limit=100_000)
    output = fields.mapping("output")
    event_id = _event_id(fields, delivery)
    fields.finish()
    ended = ChildEnded(
        event_id=event_id,
        workflow_id=workflow_id,
        seq=seq,
        child_id=child_id,
        status=WorkflowStatus(str(status)),
        output=output,
        reason=reason,
    )
    if limit is None or len(body) <= limit:
        return ended
    too_large = (
        f"The child's output has {len(body):,} bytes, the limit is {limit:,}: "
        "have it return a reference to the data instead of the data"
    )
    return replace(ended, status=WorkflowStatus.FAILED, output={}, reason=too_large)


def encode_child_started(news: ChildStarted, partitions: int) -> Message:
    """Return the message that tells a parent that its child is stored."""
    body = {"childStarted": news.child_id, "workflowId": news.workflow_id, "seq": news.seq}
    return _ours(CHILD_STARTED_KIND, news.workflow_id, news.event_id, body, partitions)


def decode_child_started(delivery: Delivery) -> ChildStarted:
    """Read the news of a child's start; raise ``BadMessage`` naming what is wrong."""
    fields = _fields(delivery, "news of a child's start")
    workflow_id, seq, child_id = _child(fields, "childStarted")
    event_id = _event_id(fields, delivery)
    fields.finish()
    return ChildStarted(event_id=event_id, workflow_id=workflow_id, seq=seq, child_id=child_id)


DECODERS: dict[str, Callable[[Delivery], Request | Wake | ChildEnded | ChildStarted | SlotNews]] = {
    REQUEST_KIND: decode_request,
    WAKE_KIND: decode_wake,
    CHILD_ENDED_KIND: decode_child_ended,
    CHILD_STARTED_KIND: decode_child_started,
    SLOT_KIND: decode_slot_news,
}


def _ours(kind: str, workflow_id: str, event_id: str, body: object, partitions: int) -> Message:
    return Message(
        queue=queue_of(workflow_id, partitions),
        body=write_json(body),
        headers={KIND_HEADER: kind},
        message_id=event_id,
    )


def _fields(delivery: Delivery, subject: str) -> Fields:
    expect_json(delivery.message, subject)
    return Fields(read_object(delivery.message.body, subject), subject)


def _event_id(fields: Fields, delivery: Delivery) -> str:
    """Return what makes a redelivery recognisable: ours always carry a message id."""
    message_id = delivery.message.message_id or ""
    if not message_id:
        fields.fault("message_id", "is missing among the message's properties")
    elif len(message_id) > LONGEST_ID:
        fields.fault("message_id", f"has {len(message_id):,} characters, AMQP allows {LONGEST_ID}")
    return message_id


def _child(fields: Fields, kind: str) -> tuple[str, int, str]:
    workflow_id, child_id = fields.needed("workflowId"), fields.needed(kind)
    return workflow_id, _seq(fields), child_id


def _seq(fields: Fields, low: int = 1) -> int:
    seq = fields.integer("seq", low)
    if seq is None:
        fields.fault("seq", "is missing")
    return seq or 0
