"""The store and the broker as a simulated process sees them: the real ones in memory, with a halt at every call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from engine.broker.memory import MemoryConnection
from engine.broker.port import Unsendable
from engine.broker.topology import MARKER_QUEUE
from engine.errors import StoreUnavailable
from engine.store.port import LoggedRequest, Rows, Save
from engine.testing.memory_store import MemoryTransaction
from engine.wire.message import Delivery, Message
from tests.simulation.message_names import name_of

if TYPE_CHECKING:
    from tests.simulation.processes import Process


class SimulatedTransaction:
    """A transaction that lets others commit between its reads and its first write, as databases do."""

    def __init__(self, inner: MemoryTransaction, process: Process) -> None:
        self._inner = inner
        self._process = process
        self._written = False
        #: Nothing more was to be done.
        self._ended = False
        #: What was saved, with the rows as they were before.
        self.saved: list[tuple[Save, Rows | None]] = []
        #: What was written to the audit trail.
        self.logged: list[LoggedRequest] = []

    def __getattr__(self, name: str) -> Any:
        if name not in _READS:
            assert not self._ended, f"{name} after what was said to be the last"
            self._written = True
        return getattr(self._inner, name)

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        found = self._inner.load(workflow_ids, payloads=payloads)
        self._process.point("loaded", halt=not self._written)
        return found

    def save(self, saves: Sequence[Save], *, last: bool = False) -> set[str]:
        # A crash at the commit is one before it, whether it comes with the statement or behind it.
        self._ended = last
        self._process.point("saving", halt=not self._written)
        self._written = True
        before = self._inner.load([save.workflow.id for save in saves])
        written = self._inner.save(saves)
        self.saved += [(save, before.get(save.workflow.id)) for save in saves if save.workflow.id in written]
        return written

    def log_requests(self, lines: Sequence[LoggedRequest]) -> None:
        assert not self._ended
        self._written = True
        self._inner.log_requests(lines)
        self.logged += lines


#: What reads only: others may still commit after it.
_READS = frozenset(
    {
        "requests", "snapshots", "workflow_def", "workflow_defs", "task_defs", "catalog_version", "next_ring",
        "open_workflow_ids", "queue_names", "queues_seen_empty", "setting", "find", "statistics",
    }
)  # fmt: skip


class SimulatedStore:
    """One process's way to the common store."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @contextmanager
    def transaction(self) -> Iterator[SimulatedTransaction]:
        process = self._process
        process.point("begin")
        process.world.invariants.looks(process)
        with process.world.store.transaction() as inner:
            transaction = SimulatedTransaction(inner, process)
            yield transaction
            process.point("committing", halt=False)
        world = process.world
        for save, _ in transaction.saved:
            world.accountant.saved(save.workflow.id)
        world.invariants.committed(process, transaction.saved, transaction.logged)
        # A fault here is the worst of all: it is stored, and who stored it does not know.
        process.point("committed")

    def close(self) -> None:
        raise StoreUnavailable("nobody closes the store of a story")


class SimulatedBroker:
    """One process's line to the common broker."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def _inner(self) -> MemoryConnection:
        return self._process.connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        found = self._inner.receive(limit, 0)
        if not found:
            self._process.wait(wait_seconds, lambda: arrived(self._inner))
            found = self._inner.receive(limit, 0)
        if found:
            self._process.point("received")
        return found

    def ready(self, queue: str) -> int | None:
        found = self._inner.ready(queue)
        if queue == MARKER_QUEUE and not found and self._process.world.wiped:
            self._process.world.faults.loss_is_noticed()
        return found

    def publish(self, messages: Sequence[Message]) -> None:
        process, world = self._process, self._process.world
        names = tuple(name_of(message) for message in messages)
        process.point("publishing" if not process.refused else "following")
        process.refused = False
        faults = [(message, "the story has made it too heavy") for message in messages if is_heavy(message)]
        refused = [message for message, _ in faults]
        world.refused |= {name_of(message).partition(":")[2] for message in refused}
        light = [message for message in messages if message not in refused]
        half = len(light) // 2
        self._inner.publish(light[:half])
        process.point("half", halt=False)
        self._inner.publish(light[half:])
        process.point("published")
        world.invariants.confirmed(names, messages)
        if faults:
            process.refused = True
            raise Unsendable(faults)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        process = self._process
        process.point("acking")
        process.world.invariants.acked(process, [each for each in deliveries if each.receipt in self._inner._unacked])
        self._inner.ack(deliveries)
        process.point("acked")

    def consume(self, queue: str, prefetch: int) -> None:
        with self._sharing(queue):
            self._inner.consume(queue, prefetch)

    def cancel(self, queue: str) -> None:
        with self._sharing(queue):
            self._inner.cancel(queue)

    @contextmanager
    def _sharing(self, queue: str) -> Iterator[None]:
        self._process.point("sharing", halt=False)
        before = queue in self._inner._prefetch
        yield
        if before != (queue in self._inner._prefetch):
            # Something has changed hands, and what is to follow may not.
            self._process.point("shared", halt=False)

    def reconnect(self) -> None:
        self._process.refused = False
        self._process.point("reconnecting")
        self._inner.reconnect()


def is_heavy(message: Message) -> bool:
    """True for a message that the broker refuses for good: a task, a child's start or its output, made heavy."""
    if b'"heavy":true' not in message.body:
        return False
    body = msgspec.json.decode(message.body)
    if "task" in message.headers:
        return bool(body[1].get("heavy"))
    part = {"start": "input", "child_ended": "output"}.get(str(message.headers.get("baton")), "")
    return isinstance(body, dict) and isinstance(body.get(part), dict) and bool(body[part].get("heavy"))


def arrived(connection: MemoryConnection) -> bool:
    """True when a call to ``receive`` would return at once, with messages or because the line is lost."""
    if connection._lost is not None:
        return True
    queues, held = connection._hub.queues, connection._held
    for name, prefetch in connection._prefetch.items():
        queue = queues.get(name)
        if queue is not None and queue.length and held.get(name, 0) < prefetch and queue.serves(connection):
            return True
    return False
