"""What has arrived for the decider: tells start messages, our own messages and workers' results apart."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import BadMessage
from engine.model.event import Event, StartWorkflow
from engine.wire.celery_message import MAX_RESULT_BYTES, decode_result
from engine.wire.message import START_QUEUE, Delivery
from engine.wire.request_message import CHILD_ENDED_KIND, DECODERS, decode_child_ended
from engine.wire.start_message import KIND_HEADER, START_KIND, decode_start


def decode(
    delivery: Delivery, fresh_id: Callable[[], str], payload_limit: int = MAX_RESULT_BYTES
) -> StartWorkflow | Event:
    """Return what a delivery says; raise ``BadMessage`` with the reason for its dead letter.

    Our own messages name their kind in the header ``baton``. Without it, what stands in ``baton.start`` is a start
    message by whomever, and anything else is a worker's result. ``fresh_id`` makes the id of a run that nothing names.

    Of more than ``payload_limit`` bytes, a stranger's start is refused, and a result or a child's output fails the
    task that it belongs to. Our own starts are read whatever their size: the road refuses those with an answer.
    """
    kind = delivery.message.headers.get(KIND_HEADER)
    if kind == START_KIND or (kind is None and delivery.queue == START_QUEUE):
        return decode_start(delivery, fresh_id, payload_limit)
    if kind is None:
        return decode_result(delivery, payload_limit)
    if kind == CHILD_ENDED_KIND:
        return decode_child_ended(delivery, payload_limit)
    decoder = DECODERS.get(kind) if isinstance(kind, str) else None
    if decoder is None:
        expected = ", ".join((START_KIND, *DECODERS))
        raise BadMessage(f"the header {KIND_HEADER!r} says {kind!r}, which is no kind of message: expected {expected}")
    return decoder(delivery)
