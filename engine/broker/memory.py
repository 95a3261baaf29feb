"""A broker inside the process, for the embedded mode and for tests: priorities, topics, redelivery, no server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from re import Pattern

from engine.broker import topology
from engine.broker.dead_letter import letter_id
from engine.broker.memory_queue import Consumer, Entry, MemoryQueue
from engine.errors import BrokerUnavailable
from engine.wire.message import STATUS_EXCHANGE, Delivery, Message


class MemoryBroker:
    """The queues that all connections of one process share."""

    def __init__(self) -> None:
        # Reentrant, because what restores a connection calls the methods that everybody calls.
        self.lock = threading.RLock()
        self.queues: dict[str, MemoryQueue] = {}
        self.bindings: dict[tuple[str, Pattern[str], str], None] = {}
        self.connections: set[MemoryConnection] = set()

    def connect(self) -> MemoryConnection:
        """Return a new connection."""
        return MemoryConnection(self)

    def disconnect(self) -> None:
        """Break every open connection, as a failing server would: each raises BrokerUnavailable until it reconnects."""
        with self.lock:
            for connection in tuple(self.connections):
                connection.break_off("The in-memory broker broke the connection: reconnect.")

    def delete_queue(self, name: str) -> None:
        """Delete a queue with its messages; those who consume it get a new, empty one."""
        with self.lock:
            gone = self.queues.pop(name, None)
            if gone is not None and gone.consumers:
                self.declare(gone.declared, gone.owner).consumers = gone.consumers

    def declare(self, declared: topology.Queue, owner: Consumer | None = None) -> MemoryQueue:
        """Return the queue, made if it is missing; the caller holds the lock."""
        queue = self.queues.get(declared.name)
        if queue is None:
            queue = self.queues[declared.name] = MemoryQueue(declared, owner if declared.exclusive else None)
        return queue

    def targets(self, message: Message) -> Iterable[MemoryQueue]:
        """Return the queues that get ``message``; the caller holds the lock."""
        if not message.exchange:
            queue = self.queues.get(message.queue)
            if queue is None and topology.may_declare(message):
                queue = self.declare(topology.queue(message.queue))
            return () if queue is None else (queue,)
        exchange = topology.EXCHANGES.get(message.exchange)
        if exchange is None:
            return ()
        key, everything = message.queue + ".", exchange.type == "fanout"
        bound = ((pattern, name) for source, pattern, name in self.bindings if source == exchange.name)
        names = {name for pattern, name in bound if everything or pattern.fullmatch(key)}
        return [self.queues[name] for name in names if name in self.queues]

    def forget(self, connection: MemoryConnection) -> None:
        """Delete what belongs to a connection that has ended; the caller holds the lock."""
        self.connections.discard(connection)
        owned = {name for name, queue in self.queues.items() if queue.owner is connection}
        for name in owned:
            del self.queues[name]
        self.bindings = {binding: None for binding in self.bindings if binding[2] not in owned}


class MemoryConnection:
    """One road's connection to a ``MemoryBroker``; see ``engine.broker.port.Broker``.

    A message is handed over when it is received, so all that is unacked has been received, and nothing waits between
    the queue and the receiver.
    """

    def __init__(self, hub: MemoryBroker) -> None:
        self._hub = hub
        self._arrived = threading.Condition(hub.lock)
        self._restore: dict[str, Callable[[], None]] = {}
        self._prefetch: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._unacked: dict[Entry, None] = {}
        #: True while somebody waits who has not been called yet.
        self._waiting = False
        #: Queues for whose messages somebody was called.
        self._called: list[MemoryQueue] = []
        self._interrupted = False
        self._lost: str | None = None

    def reconnect(self) -> None:
        """See the port."""
        with self._hub.lock:
            self.break_off("")
            self._lost = None
            self._open()
            for restore in tuple(self._restore.values()):
                restore()

    def declare_partitions(self, count: int) -> None:
        """See the port."""
        with self._hub.lock:
            self._open()
            for partition in range(count):
                self._hub.declare(topology.queue(f"baton.events.{partition}"))

    def declare_replies(self, queue: str) -> None:
        """See the port."""
        self._remember(f"declare {queue}", lambda: self._own(topology.replies(queue)))

    def subscribe(self, pattern: str, queue: str, exchange: str = STATUS_EXCHANGE) -> None:
        """See the port."""

        def bind() -> None:
            self._own(topology.subscription(queue))
            self._hub.bindings[exchange, topology.topic_pattern(pattern), queue] = None

        self._remember(f"bind {queue} {exchange} {pattern}", bind)

    def consume(self, queue: str, prefetch: int) -> None:
        """See the port."""

        def start() -> None:
            self._prefetch[queue] = prefetch
            consumers = self._hub.declare(topology.queue(queue)).consumers
            if self not in consumers:
                consumers.append(self)

        self._remember(f"consume {queue}", start)

    def cancel(self, queue: str) -> None:
        """See the port."""
        with self._hub.lock:
            self._open()
            self._restore.pop(f"consume {queue}", None)
            self._leave(queue)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """See the port."""
        deadline = time.monotonic() + wait_seconds
        if limit > 1:
            # Other threads, which wait for Python's lock, first finish what they have at hand: more comes at a time.
            time.sleep(0)
        with self._hub.lock:
            while True:
                self._open()
                deliveries = self._collect(limit)
                self._pass_on()
                remaining = deadline - time.monotonic()
                if deliveries or self._interrupted or remaining <= 0:
                    self._interrupted = False
                    return deliveries
                self._waiting = True
                self._arrived.wait(remaining)
                self._waiting = False

    def publish(self, messages: Sequence[Message]) -> None:
        """See the port."""
        with self._hub.lock:
            self._open()
            touched: dict[MemoryQueue, None] = {}
            for message in messages:
                for queue in self._hub.targets(message):
                    queue.put(message)
                    touched[queue] = None
            for queue in touched:
                queue.call()

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._hub.lock:
            self._open()
            self._settle(deliveries)

    def reject(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._hub.lock:
            self._open()
            _return(self._settle(deliveries))

    def ready(self, queue: str) -> int | None:
        """See the port."""
        with self._hub.lock:
            self._open()
            found = self._hub.queues.get(queue)
            return None if found is None else found.length

    def consumers(self, queue: str) -> int | None:
        """See the port."""
        with self._hub.lock:
            self._open()
            found = self._hub.queues.get(queue)
            return None if found is None else len(found.consumers)

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._hub.lock:
            self._open()
            found = self._hub.queues.get(queue)
            waiting = () if found is None else islice(found.entries(), limit)
            return [Delivery(message=e.message, queue=queue, redelivered=e.redelivered) for e in waiting]

    def take(self, queue: str, letter: str) -> Delivery | None:
        """See the port."""
        with self._hub.lock:
            self._open()
            found = self._hub.queues.get(queue)
            waiting = () if found is None else found.entries()
            entry = next((e for e in waiting if letter_id(e.message) == letter), None)
            if entry is None:
                return None
            entry.queue.remove(entry)
            return self._hand_over(entry)

    def fetch(self, queue: str, limit: int) -> list[Delivery]:
        """See the port."""
        with self._hub.lock:
            self._open()
            found = self._hub.queues.get(queue)
            count = 0 if found is None else min(limit, found.length)
            return [self._hand_over(found.pop()) for _ in range(count)] if found is not None else []

    def interrupt(self) -> None:
        """See the port."""
        with self._hub.lock:
            self._interrupted = True
            self._arrived.notify_all()

    def close(self) -> None:
        """See the port."""
        with self._hub.lock:
            self.break_off("This connection to the in-memory broker is closed: open another one.")
            self._restore.clear()

    def break_off(self, reason: str) -> None:
        """End the connection: what is unacked goes back, what it owned is deleted; the caller holds the lock."""
        self._lost = reason
        for queue in tuple(self._prefetch):
            self._leave(queue)
        unacked, self._unacked = self._unacked, {}
        self._held.clear()
        self._called.clear()
        _return(unacked)
        self._hub.forget(self)
        self._arrived.notify_all()

    def wake(self, queue: MemoryQueue) -> bool:
        """See ``Consumer``."""
        name = queue.declared.name
        if not self._waiting or self._held.get(name, 0) >= self._prefetch[name]:
            return False
        self._waiting = False
        self._called.append(queue)
        self._arrived.notify_all()
        return True

    def _pass_on(self) -> None:
        """Call somebody else for what is left where this connection was called."""
        while self._called:
            self._called.pop().call()

    def _open(self) -> None:
        if self._lost is not None:
            raise BrokerUnavailable(self._lost)
        if self not in self._hub.connections:
            self._hub.connections.add(self)
            for declared in topology.engine_queues():
                self._hub.declare(declared)

    def _remember(self, key: str, action: Callable[[], None]) -> None:
        """Do ``action`` now and after every reconnect."""
        with self._hub.lock:
            self._restore[key] = action
            self._open()
            action()

    def _own(self, declared: topology.Queue) -> None:
        self._hub.declare(declared, owner=self)

    def _leave(self, queue: str) -> None:
        """Stop consuming; the next in line of a single active consumer takes over."""
        self._prefetch.pop(queue, None)
        found = self._hub.queues.get(queue)
        if found is not None and self in found.consumers:
            found.consumers.remove(self)
            found.call()

    def _collect(self, limit: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for name, prefetch in tuple(self._prefetch.items()):
            queue = self._hub.queues.get(name)
            if queue is None or not queue.serves(self):
                continue
            count = min(limit - len(deliveries), prefetch - self._held.get(name, 0), queue.length)
            deliveries.extend(self._hand_over(queue.pop()) for _ in range(count))
            # Whoever was served goes to the end of the line, or a busy queue would starve the ones after it.
            self._prefetch[name] = self._prefetch.pop(name)
            if len(deliveries) >= limit:
                break
        return deliveries

    def _hand_over(self, entry: Entry) -> Delivery:
        name = entry.queue.declared.name
        self._unacked[entry] = None
        self._held[name] = self._held.get(name, 0) + 1
        return Delivery(message=entry.message, queue=name, redelivered=entry.redelivered, receipt=entry)

    def _settle(self, deliveries: Sequence[Delivery]) -> list[Entry]:
        """Return the entries of those deliveries that are still ours, and forget them."""
        settled = []
        for delivery in deliveries:
            entry = delivery.receipt
            if isinstance(entry, Entry) and entry in self._unacked:
                del self._unacked[entry]
                self._held[delivery.queue] -= 1
                settled.append(entry)
        return settled


def _return(entries: Iterable[Entry]) -> None:
    """Put entries back at the front of their queues, the first one foremost."""
    touched: dict[MemoryQueue, None] = {}
    for entry in reversed(tuple(entries)):
        entry.queue.put_back(entry)
        touched[entry.queue] = None
    for queue in touched:
        queue.call()


@cache
def memory_broker(name: str = "") -> MemoryBroker:
    """Return the process's in-memory broker of this name; the same name gives the same broker."""
    return MemoryBroker()
