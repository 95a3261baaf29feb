"""The road's connection to RabbitMQ: batched confirms, consumers with their own prefetch, and everything restored."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import pika

from engine.broker.amqp_connection import AmqpConnection, ChannelClosed
from engine.broker.browser import Browser
from engine.broker.declarations import Declarations
from engine.broker.inbox import Inbox, tags_by_channel
from engine.broker.publisher import Publisher
from engine.broker.topology import CONTROL, STATUS, Queue, TaskQueueType, engine_queues, queue, replies, subscription
from engine.errors import BadConfiguration, BrokerUnavailable
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message, events_queue

#: Seconds between two signs of life on a connection. A broker that vanishes without a word, as behind a firewall or by
#: a loss of power, is missed after little more than that; RabbitMQ's own sixty would let everything stand for so long.
HEARTBEAT_SECONDS = 15


#: Bytes of messages that a connection holds unacked, unless its owner says otherwise.
MOST_BYTES = 64 * 1024 * 1024

#: Seconds after which a queue that was paused is consumed with its whole prefetch again.
_REDUCED_SECONDS = 30.0


class _Session:
    """Everything that lives as long as one connection, and no longer."""

    def __init__(
        self, parameters: pika.connection.Parameters, wake: threading.Condition, kind: TaskQueueType, most_bytes: int
    ) -> None:
        def on_lost() -> None:
            with wake:
                wake.notify_all()

        self.connection = AmqpConnection(parameters, on_lost)
        self.declarations = Declarations(self.connection, kind)
        self.publisher = Publisher(
            self.connection, self.declarations.declare_missing, self.declarations.declare_exchange
        )
        self.inbox = Inbox(self.connection, wake, most_bytes)
        #: Queues that are consumed with a smaller prefetch than was asked for, until when (monotonic seconds).
        self.reduced: dict[str, float] = {}
        self.browser = Browser(self.connection, lambda name: self.declarations.ready(name) is not None)


class RabbitBroker:
    """A connection to RabbitMQ; see ``engine.broker.port.Broker``.

    pika runs in a thread of its own. While the broker is blocked (memory or disk alarm), ``publish`` waits. A channel
    that the broker closes for a reason of ours counts as a lost connection.
    """

    def __init__(
        self, url: str, *, task_queues: TaskQueueType = TaskQueueType.CLASSIC, most_bytes: int = MOST_BYTES
    ) -> None:
        """Take the URLs, separated by ``;``, which are tried in turn; raise ``BadConfiguration`` for a wrong one.

        ``most_bytes`` bounds what is delivered and not yet acked, whatever the prefetch; one message may be larger.
        """
        self._most_bytes = most_bytes
        self._addresses = [connection_parameters(part) for part in url.split(";") if part]
        self._task_queues = task_queues
        self._wake = threading.Condition()
        self._interrupted = False
        self._closed = False
        self._session: _Session | None = None
        self._partitions = 0
        self._owned: dict[str, Queue] = {}
        self._bindings: dict[tuple[str, str, str], None] = {}
        self._consumers: dict[str, int] = {}

    def reconnect(self) -> None:
        """See the port."""
        self._end_session()
        self._closed = False
        self._session = session = self._open()
        try:
            with _translated():
                self._restore(session)
        except BaseException:
            session.connection.close()
            raise

    def declare_partitions(self, count: int) -> None:
        """See the port."""
        self._partitions = max(count, self._partitions)
        with self._using() as session:
            for partition in range(count):
                session.declarations.declare(queue(events_queue(partition)))

    def declare_replies(self, queue: str) -> None:
        """See the port."""
        self._owned[queue] = replies(queue)
        with self._using() as session:
            self._make(session, queue)

    def subscribe(self, pattern: str, queue: str, exchange: str = STATUS_EXCHANGE) -> None:
        """See the port."""
        self._owned[queue] = subscription(queue)
        self._bindings[queue, exchange, pattern] = None
        with self._using() as session:
            self._make(session, queue)

    def consume(self, queue: str, prefetch: int) -> None:
        """See the port."""
        self._consumers[queue] = prefetch
        with self._using() as session:
            self._start(session, queue)

    def cancel(self, queue: str) -> None:
        """See the port."""
        self._consumers.pop(queue, None)
        with self._using() as session:
            session.inbox.cancel(queue)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port."""
        deadline = time.monotonic() + wait_seconds
        with self._using() as session:
            self._take_up(session)
            while True:
                interrupted = self._wait(session, deadline)
                session.connection.check()
                self._consume_again(session)
                deliveries = session.inbox.receive(limit)
                if deliveries or interrupted or time.monotonic() >= deadline:
                    return deliveries

    def publish(self, messages: Sequence[Message]) -> None:
        """See the port."""
        with self._using() as session:
            session.publisher.publish(messages)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        self._settle(deliveries, requeue=False)

    def reject(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        self._settle(deliveries, requeue=True)

    def ready(self, queue: str) -> int | None:
        """See the port."""
        with self._using() as session:
            return session.declarations.ready(queue)

    def consumers(self, queue: str) -> int | None:
        """See the port."""
        with self._using() as session:
            return session.declarations.consumers(queue)

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._using() as session:
            return session.browser.peek(queue, limit)

    def take(self, queue: str, letter: str) -> Delivery | None:
        """See the port."""
        with self._using() as session:
            return session.browser.take(queue, letter)

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._using() as session:
            return session.browser.fetch(queue, limit)

    def interrupt(self) -> None:
        """See the port."""
        with self._wake:
            self._interrupted = True
            self._wake.notify_all()

    def close(self) -> None:
        """See the port."""
        self._closed = True
        self._end_session()

    def _open(self) -> _Session:
        failures = []
        for parameters in self._addresses:
            try:
                return _Session(parameters, self._wake, self._task_queues, self._most_bytes)
            except BrokerUnavailable as error:
                failures.append(str(error))
        raise BrokerUnavailable("; ".join(failures))

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.connection.close()

    @contextmanager
    def _using(self) -> Iterator[_Session]:
        """Give the open session, opening the first one; a channel that the broker closes is a lost connection."""
        if self._closed:
            raise BrokerUnavailable("This connection to RabbitMQ is closed: open another one.")
        if self._session is None:
            self.reconnect()
        session = self._session
        assert session is not None
        session.connection.check()
        with _translated():
            yield session

    def _restore(self, session: _Session) -> None:
        session.declarations.declare_exchange(STATUS)
        session.declarations.offer_exchange(CONTROL)
        events = (queue(events_queue(partition)) for partition in range(self._partitions))
        for declared in (*engine_queues(), *events):
            session.declarations.declare(declared)
        for name in self._owned:
            self._make(session, name)
        for name in self._consumers:
            self._start(session, name)

    def _make(self, session: _Session, name: str) -> None:
        """Declare a queue that belongs to this connection, and bind it."""
        session.declarations.declare(self._owned[name])
        for bound, exchange, pattern in self._bindings:
            if bound == name:
                session.declarations.bind(name, exchange, pattern)

    def _start(self, session: _Session, name: str) -> None:
        if name in self._owned:
            self._make(session, name)
        else:
            session.declarations.declare_missing(name)
        session.inbox.consume(name, self._consumers[name])

    def _wait(self, session: _Session, deadline: float) -> bool:
        """Wait until there is something to do; return whether that is an interruption."""
        inbox = session.inbox
        with self._wake:
            while not (self._interrupted or inbox or session.connection.lost):
                # A consumer to restore is due in its own time.
                seconds = min((deadline, *inbox.cancelled.values())) - time.monotonic()
                if seconds <= 0:
                    break
                self._wake.wait(seconds)
            interrupted, self._interrupted = self._interrupted, False
        return interrupted

    def _consume_again(self, session: _Session) -> None:
        """Restore the consumers that the broker cancelled, because their queue was deleted or has moved."""
        for name in session.inbox.take_cancelled():
            if name in self._consumers:
                self._start(session, name)

    def _take_up(self, session: _Session) -> None:
        """Consume paused queues again, fewer messages at a time, once there is room, and after a while as before."""
        now = time.monotonic()
        if session.inbox.paused and session.inbox.has_room:
            for name, fitting in tuple(session.inbox.paused.items()):
                if name in self._consumers:
                    session.inbox.consume(name, min(fitting, self._consumers[name]))
                    session.reduced[name] = now + _REDUCED_SECONDS
        if session.reduced and not session.inbox:
            for name in [name for name, until in session.reduced.items() if until <= now]:
                del session.reduced[name]
                if name in self._consumers and name not in session.inbox.paused:
                    session.inbox.consume(name, self._consumers[name])

    def _settle(self, deliveries: Sequence[Delivery], *, requeue: bool) -> None:
        with self._using() as session:
            for channel, tags in tags_by_channel(deliveries).items():
                if channel is session.inbox.channel:
                    session.inbox.settle(tags, requeue=requeue)
                elif channel.connection is session.connection:
                    channel.acknowledge(0, tags, requeue=requeue)


def connection_parameters(url: str) -> pika.connection.Parameters:
    """Return pika's reading of a URL as Celery writes it: a path of ``/`` or ``//`` is the virtual host ``/``.

    ``?heartbeat=<seconds>`` in the URL takes the place of our own.
    """
    parts = urlsplit(url)
    path = parts.path if parts.path.strip("/") else "/%2F"
    address = urlunsplit(("amqps" if parts.scheme == "amqps" else "amqp", parts.netloc, path, parts.query, ""))
    try:
        parameters = pika.URLParameters(address)
    except (ValueError, TypeError, ssl.SSLError) as error:
        raise BadConfiguration([f"The broker URL for {parts.hostname or 'no host'} is wrong: {error}"]) from error
    parameters.client_properties = {"connection_name": "baton"}
    if parameters.heartbeat is None:
        parameters.heartbeat = HEARTBEAT_SECONDS
    return parameters


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ChannelClosed as closed:
        raise BrokerUnavailable(f"RabbitMQ closed a channel: {closed}") from closed
