"""The road's connection to Redis: kombu's layout, so that ordinary Celery workers serve it, and promises of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis.exceptions import RedisError, ResponseError

from engine.broker import topology
from engine.broker.dead_letter import letter_id
from engine.broker.port import Unsendable
from engine.broker.redis_envelope import STEPS, decode
from engine.broker.redis_news import Ear
from engine.broker.redis_publication import Publication
from engine.broker.redis_scripts import QUEUES
from engine.broker.redis_session import Forgotten, Receipt, RedisSession, Wish
from engine.errors import BrokerUnavailable
from engine.masking import masked
from engine.model.payload import Json
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message, events_queue

#: Seconds between two looks for messages: soon after there was something to do, and when nothing has come for a while.
#: Redis cannot both wait and note who has taken a message.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05

#: Bytes that one ``receive`` takes, unless it is told otherwise.
MOST_BYTES = 256 * 1024 * 1024


class RedisBroker:
    """A connection to Redis; see ``engine.broker.port.Broker``.

    Messages lie where kombu's workers look for them, and are taken by scripts that kombu does not have: what a process
    held that is gone goes to others when its lease has run out, and an events queue has a single active consumer. A
    command's answer is the confirm, so it is worth what Redis' own persistence is worth.
    """

    def __init__(self, url: str, *, most_bytes: int = MOST_BYTES) -> None:
        """Take the URL, as Celery writes it; it is used by the first call.

        One ``receive`` returns no more than about ``most_bytes``.
        """
        self._url = url
        self._most_bytes = most_bytes
        self._session: RedisSession | None = None
        self._ear: Ear
        self._lost: str | None = None
        self._wake = threading.Condition()
        self._interrupted = False
        self._partitions = 0
        self._owned: dict[str, None] = {}
        self._bindings: dict[tuple[str, str, str], None] = {}
        self._prefetch: dict[str, int] = {}

    def reconnect(self) -> None:
        """See the port."""
        before = self._end(politely=False)
        self._lost = None
        with self._guarded():
            self._session = session = RedisSession(self._url, before)
            self._ear = Ear(session.listen, session.database)
            session.declare([declared.name for declared in topology.engine_queues()])
            session.declare([events_queue(partition) for partition in range(self._partitions)])
            for name in self._owned:
                session.own(name)
            for queue, exchange, _ in self._bindings:
                self._ear.subscribe(exchange, queue)
            session.declare([name for name in self._prefetch if name not in self._owned and not self._is_bound(name)])

    def declare_partitions(self, count: int) -> None:
        """See the port."""
        self._partitions = max(count, self._partitions)
        with self._using() as session:
            session.declare([events_queue(partition) for partition in range(count)])

    def declare_replies(self, queue: str) -> None:
        """See the port."""
        self._owned[queue] = None
        with self._using() as session:
            session.own(queue)

    def subscribe(self, pattern: str, queue: str, exchange: str = STATUS_EXCHANGE) -> None:
        """See the port."""
        self._bindings[queue, exchange, pattern] = None
        with self._using():
            self._ear.subscribe(exchange, queue)

    def consume(self, queue: str, prefetch: int) -> None:
        """See the port."""
        self._prefetch[queue] = prefetch
        with self._using() as session:
            if not self._is_bound(queue):
                session.declare([queue])
            if topology.queue(queue).single_active_consumer:
                session.claim(queue)

    def cancel(self, queue: str) -> None:
        """See the port."""
        self._prefetch.pop(queue, None)
        with self._using() as session:
            session.leave(queue)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port; looks again and again, seldom when nothing comes."""
        deadline = time.monotonic() + wait_seconds
        pause = _FIRST_PAUSE
        while True:
            with self._using() as session:
                deliveries = self._look(session, limit)
            left = deadline - time.monotonic()
            with self._wake:
                if deliveries or left <= 0 or self._interrupted:
                    self._interrupted = self._interrupted and bool(deliveries)
                    return deliveries
                self._wake.wait_for(lambda: self._interrupted, min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def publish(self, messages: Sequence[Message]) -> None:
        """See the port."""
        with self._using() as session:
            publication = Publication(messages, session.database)
            publication.send(session)
        if publication.faults:
            raise Unsendable(publication.faults)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._using() as session:
            session.ack(_receipts(deliveries))

    def reject(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._using() as session:
            session.reject(_receipts(deliveries))

    def ready(self, queue: str) -> int | None:
        """See the port."""
        with self._using() as session:
            about = [("LLEN", queue + step) for step in STEPS]
            answers = session.ask([*about, ("SISMEMBER", QUEUES, queue), ("TTL", queue)])
            for refusal in answers:
                if isinstance(refusal, ResponseError):
                    raise refusal
        *lengths, known, seconds_left = answers
        # What will vanish was sent in case that somebody reads it: that makes no queue.
        return sum(lengths) if known or (any(lengths) and seconds_left < 0) else None

    def consumers(self, queue: str) -> int | None:
        """See the port; None also for queues that any number may read."""
        if not topology.queue(queue).single_active_consumer:
            return None
        with self._using() as session:
            return session.active(queue)

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """See the port; nothing is moved for it, and others may take the messages meanwhile."""
        with self._using() as session:
            return [delivery for _, _, delivery in self._waiting(session, queue, limit)]

    def take(self, queue: str, letter: str) -> Delivery | None:
        """See the port."""
        with self._using() as session:
            for key, payload, delivery in self._waiting(session, queue, None):
                if letter_id(delivery.message) == letter:
                    receipt = session.take(key, payload)
                    return None if receipt is None else _delivery(receipt, queue, payload)
        return None

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._using() as session:
            found = session.fetch([Wish(queue, limit, single=False)], limit, self._most_bytes)
            return [_delivery(*each) for each in found]

    def interrupt(self) -> None:
        """See the port."""
        with self._wake:
            self._interrupted = True
            self._wake.notify_all()

    def close(self) -> None:
        """See the port."""
        self._end(politely=True)
        self._lost = "This connection to Redis is closed: open another one."

    def _is_bound(self, queue: str) -> bool:
        return any(queue == bound for bound, _, _ in self._bindings)

    def _look(self, session: RedisSession, limit: int) -> list[Delivery]:
        """Return what is there now."""
        self._ear.listen(self._bindings)
        heard = [item for name in self._prefetch for item in self._ear.take(name, limit)][:limit]
        if len(heard) == limit:
            return heard
        unacked: dict[str, int] = {}
        for name in session.held.values():
            unacked[name] = unacked.get(name, 0) + 1
        wishes = [
            Wish(name, prefetch - unacked.get(name, 0), topology.queue(name).single_active_consumer)
            for name, prefetch in self._prefetch.items()
            if not self._is_bound(name)
        ]
        try:
            return heard + [_delivery(*found) for found in session.fetch(wishes, limit - len(heard), self._most_bytes)]
        except Forgotten as forgotten:
            self._lost = str(forgotten)
            raise BrokerUnavailable(self._lost) from forgotten

    def _waiting(self, session: RedisSession, queue: str, limit: int | None) -> Iterator[tuple[str, bytes, Delivery]]:
        """Yield the waiting messages of a queue, next one first, each with its list and as it lies there."""
        left = limit
        for step in STEPS:
            if left == 0:
                return
            payloads: Json = session.redis.lrange(queue + step, 0 if left is None else -left, -1)
            for payload in reversed(payloads):
                yield queue + step, payload, _delivery(None, queue, payload)
            left = None if left is None else left - len(payloads)

    @contextmanager
    def _using(self) -> Iterator[RedisSession]:
        """Give the open session, opening the first one."""
        if self._lost is not None:
            raise BrokerUnavailable(self._lost)
        if self._session is None:
            self.reconnect()
        assert self._session is not None
        with self._guarded():
            yield self._session

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            self._lost = f"Redis at {masked(self._url)} cannot be used: {error}"
            raise BrokerUnavailable(self._lost) from error

    def _end(self, *, politely: bool) -> str:
        """Close the session; return its name, or nothing if there was none."""
        if self._session is None:
            return ""
        self._session.end(politely=politely)
        return self._session.id


def _receipts(deliveries: Sequence[Delivery]) -> list[Receipt]:
    return [item.receipt for item in deliveries if isinstance(item.receipt, Receipt)]


def _delivery(receipt: Receipt | None, queue: str, payload: bytes) -> Delivery:
    message, redelivered = decode(payload, queue)
    return Delivery(message=message, queue=queue, redelivered=redelivered, receipt=receipt)
