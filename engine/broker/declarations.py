"""Declaring queues, and asking about them, on a channel that may be closed by a wrong question."""

from __future__ import annotations

from engine.broker.amqp_connection import AmqpChannel, AmqpConnection, ChannelClosed
from engine.broker.topology import Exchange, Queue, TaskQueueType, is_engine_queue, queue
from engine.errors import BadConfiguration
from engine.log import get_logger
from engine.model.payload import Json

log = get_logger(__name__)

_NOT_FOUND, _PRECONDITION_FAILED = 404, 406


class Declarations:
    """A channel of its own, opened again whenever the broker has closed it, so that no other channel suffers."""

    def __init__(self, connection: AmqpConnection, task_queues: TaskQueueType) -> None:
        self._connection = connection
        self._task_queues = task_queues
        self._channel = AmqpChannel(connection)

    def ready(self, name: str) -> int | None:
        """Return how many messages wait in a queue, or None when there is none of that name."""
        found = self._look_at(name)
        return None if found is None else int(found.message_count)

    def consumers(self, name: str) -> int | None:
        """Return how many consumers a queue has, or None when there is none of that name."""
        found = self._look_at(name)
        return None if found is None else int(found.consumer_count)

    def declare(self, wanted: Queue) -> None:
        """Declare a queue; raise ``BadConfiguration`` when it exists with other arguments."""
        try:
            self._ask(
                lambda pika, answer: pika.queue_declare(
                    wanted.name,
                    durable=wanted.durable,
                    exclusive=wanted.exclusive,
                    auto_delete=wanted.auto_delete,
                    arguments=dict(wanted.arguments),
                    callback=answer,
                )
            )
        except ChannelClosed as closed:
            if closed.code != _PRECONDITION_FAILED:
                raise
            raise BadConfiguration(
                [
                    f"Queue {wanted.name!r} cannot be declared as Baton needs it: {closed.text}. "
                    "If it exists with other arguments, drain and delete it; Baton declares it again."
                ]
            ) from closed

    def declare_missing(self, name: str) -> None:
        """Declare the queue of this name unless it exists; a task queue that others have declared is used as it is."""
        if is_engine_queue(name):
            self.declare(queue(name))
        elif self.ready(name) is None:
            try:
                self.declare(queue(name, self._task_queues))
            except BadConfiguration:
                # A worker may have declared it meanwhile, in its own way.
                if self.ready(name) is None:
                    raise

    def declare_exchange(self, wanted: Exchange) -> None:
        """Declare an exchange; raise ``ChannelClosed`` when it exists in another way, or when we may not."""
        self._ask(
            lambda pika, answer: pika.exchange_declare(
                wanted.name, exchange_type=wanted.type, durable=wanted.durable, callback=answer
            )
        )

    def offer_exchange(self, wanted: Exchange) -> None:
        """Declare an exchange that is not ours alone: as others have declared it, or forbid us to, it is well too."""
        try:
            self.declare_exchange(wanted)
        except ChannelClosed as closed:
            log.warning("exchange.left_as_it_is", exchange=wanted.name, reason=str(closed))

    def bind(self, name: str, exchange: str, pattern: str) -> None:
        """Have an exchange's messages that match ``pattern`` copied into a queue."""
        self._ask(lambda pika, answer: pika.queue_bind(name, exchange, routing_key=pattern, callback=answer))

    def _look_at(self, name: str) -> Json:
        """Return what the broker says of a queue, or None when there is none of that name."""
        try:
            return self._ask(lambda pika, answer: pika.queue_declare(name, passive=True, callback=answer)).method
        except ChannelClosed as closed:
            if closed.code == _NOT_FOUND:
                return None
            raise

    def _ask(self, question: Json) -> Json:
        if self._channel.closed is not None:
            self._channel = AmqpChannel(self._connection)
        return self._channel.ask(question)
