"""Every queue and exchange that Baton declares, as data: the one place that knows their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from engine.model.payload import Json
from engine.wire.celery_control import CONTROL_EXCHANGE
from engine.wire.message import DEAD_QUEUE, NOTICES_QUEUE, SINK_QUEUE, START_QUEUE, STATUS_EXCHANGE, Message

#: Holds one durable message for as long as the broker keeps its data; the rescuer looks whether it is still there.
MARKER_QUEUE = "baton.marker"

#: Begins the name of every queue for answers to our own requests. A missing one is never declared by a publisher.
REPLY_PREFIX = "baton.reply."

#: The value of ``x-max-priority``: must equal ``task_queue_max_priority`` of the Celery workers, or they exit with 406.
MAX_PRIORITY = 10

#: Redeliveries. RabbitMQ 4 drops a quorum queue's message after 20 unless told otherwise, but a database that is away
#: for an hour returns the same event hundreds of times. The argument -1 ("never") is refused by RabbitMQ 3.
DELIVERY_LIMIT = 1_000_000_000

#: Messages. A listener that reads too slowly loses the oldest beyond this, instead of filling the broker.
SUBSCRIPTION_LENGTH = 10_000

_EVENTS = re.compile(r"baton\.events\.\d+")


class TaskQueueType(StrEnum):
    """How task queues are kept: classic queues have priorities, quorum queues are replicated and have none."""

    CLASSIC = "classic"
    QUORUM = "quorum"


class Queue(Struct, frozen=True, kw_only=True):
    """A queue as it is declared; whoever declares it again must say exactly the same."""

    name: str
    arguments: Mapping[str, Json]
    durable: bool = True
    exclusive: bool = False
    auto_delete: bool = False

    @property
    def priorities(self) -> bool:
        """Whether urgent messages overtake others."""
        return "x-max-priority" in self.arguments

    @property
    def single_active_consumer(self) -> bool:
        """Whether one consumer at a time gets everything, the next one taking over when it goes."""
        return bool(self.arguments.get("x-single-active-consumer"))


class Exchange(Struct, frozen=True, kw_only=True):
    """An exchange as it is declared."""

    name: str
    type: str
    durable: bool = True


#: Where short summaries of what happened are published; the routing key is ``workflow.<status>.<name>`` or
#: ``task.<status>.<name>``.
STATUS = Exchange(name=STATUS_EXCHANGE, type="topic")

#: Where Celery's workers listen for remote control. Whoever comes first declares it, a worker or we, so it must be just
#: as kombu's pidbox declares it (the same since kombu 3), or the other side is refused with 406.
CONTROL = Exchange(name=CONTROL_EXCHANGE, type="fanout", durable=False)

#: Every exchange that we publish to, by name.
EXCHANGES: Mapping[str, Exchange] = {exchange.name: exchange for exchange in (STATUS, CONTROL)}

#: Queues of our own that are there whatever happens, beside the events queues.
_KEPT = (START_QUEUE, DEAD_QUEUE, NOTICES_QUEUE, SINK_QUEUE)

_QUORUM: Mapping[str, Json] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def is_engine_queue(name: str) -> bool:
    """Return whether the queue carries Baton's own messages, as against tasks for workers and answers to callers."""
    return (
        name in {START_QUEUE, DEAD_QUEUE, NOTICES_QUEUE, SINK_QUEUE, MARKER_QUEUE}
        or _EVENTS.fullmatch(name) is not None
    )


def queue(name: str, task_queues: TaskQueueType = TaskQueueType.CLASSIC) -> Queue:
    """Return how the queue of this name is declared; any name that is not one of Baton's own is a task queue."""
    if name in _KEPT:
        return Queue(name=name, arguments=_QUORUM)
    if name == MARKER_QUEUE:
        return Queue(name=name, arguments={})
    if name.startswith(REPLY_PREFIX):
        return replies(name)
    if _EVENTS.fullmatch(name):
        return Queue(name=name, arguments={**_QUORUM, "x-single-active-consumer": True})
    if task_queues is TaskQueueType.QUORUM:
        return Queue(name=name, arguments={"x-queue-type": "quorum"})
    return Queue(name=name, arguments={"x-max-priority": MAX_PRIORITY})


def replies(name: str) -> Queue:
    """Return how a queue for answers is declared: it belongs to one connection and goes with it."""
    return Queue(name=name, arguments={}, durable=False, exclusive=True, auto_delete=True)


def subscription(name: str) -> Queue:
    """Return how a listener's queue on an exchange is declared: bounded, and gone with its connection."""
    arguments = {"x-max-length": SUBSCRIPTION_LENGTH}
    return Queue(name=name, arguments=arguments, durable=False, exclusive=True, auto_delete=True)


def engine_queues() -> tuple[Queue, ...]:
    """Return the queues that every connection declares; the events queues follow once their number is known."""
    return tuple(map(queue, _KEPT))


def may_declare(message: Message) -> bool:
    """Return whether a publisher should declare the missing queue of ``message``.

    An answer whose reader has gone is dropped instead: declaring a caller's own queue would keep it for ever, with
    arguments that the caller does not expect.
    """
    return not (message.exchange or message.transient or message.queue.startswith(REPLY_PREFIX))


def topic_pattern(pattern: str) -> re.Pattern[str]:
    """Return a topic pattern (``*`` one word, ``#`` any number) as an expression for a routing key plus a dot."""
    words = {"*": r"[^.]*\.", "#": r"(?:[^.]*\.)*"}
    return re.compile("".join(words.get(word, re.escape(word) + r"\.") for word in pattern.split(".")))
