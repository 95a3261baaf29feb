"""Notices: word of an event of a run or a task for whoever listens, delivered at least once by the notifier."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.model.payload import JsonObject
from engine.wire.fields import Fields, read_object, write_json
from engine.wire.message import NOTICES_QUEUE, Delivery, Message, expect_json
from engine.wire.start_message import KIND_HEADER

NOTICE_KIND: Final = "notice"


class Notice(Struct, frozen=True, kw_only=True):
    """A document on its way to one sink; the id is the same however often it comes."""

    id: str
    #: As it was written: see ``wire.sink``.
    sink: str
    #: What exchanges route by: ``workflow.<event>.<name>`` or ``task.<event>.<name>``.
    topic: str
    document: JsonObject


def encode_notice(notice: Notice) -> Message:
    """Return the message by which a notice waits for the notifier."""
    return Message(
        queue=NOTICES_QUEUE,
        body=write_json({"sink": notice.sink, "topic": notice.topic, "document": notice.document}),
        headers={KIND_HEADER: NOTICE_KIND},
        message_id=notice.id,
    )


def decode_notice(delivery: Delivery) -> Notice:
    """Read a notice; raise ``BadMessage`` naming what is wrong."""
    message = delivery.message
    expect_json(message, "a notice")
    fields = Fields(read_object(message.body, "a notice"), "a notice")
    sink = fields.text("sink", limit=1_000_000)
    if not sink:
        fields.fault("sink", "is missing")
    topic, document = fields.needed("topic"), fields.mapping("document")
    if not message.message_id:
        fields.fault("message_id", "is missing among the message's properties")
    fields.finish()
    return Notice(id=message.message_id or "", sink=sink or "", topic=topic, document=document)
