"""A whole engine in one object: register, start, let workers be plain functions, let time pass, look at the run.

    harness = Harness()
    harness.register({"name": "greet", "tasks": [{"name": "hello", "taskReferenceName": "hello"}]})
    run = harness.start("greet", {"who": "Ada"})
    harness.work({"hello": lambda input: {"text": f"Hello {input['who']}"}})
    assert harness.run(run).status == "COMPLETED"

Everything is the real thing but the store, the broker and the clock; nothing runs by itself. Another store and broker
may be given, so that what holds in memory can be tried on those of production.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from engine.broker.memory import MemoryBroker
from engine.broker.port import OpenBroker
from engine.clock import after
from engine.config import Settings
from engine.decider.validate import check_task, check_workflow
from engine.dsl import Task, Workflow
from engine.executor import Executor
from engine.model.event import StartWorkflow, Wake
from engine.model.execution import Task as TaskRow
from engine.model.execution import Workflow as Run
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome, Request
from engine.slots import ask_again
from engine.store.port import Rows, Store
from engine.testing.clock import FixedClock
from engine.testing.definitions import document_of, with_used
from engine.testing.memory_store import MemoryStore
from engine.wire.message import START_QUEUE, Delivery, Message, events_queue
from engine.wire.request_message import decode_outcome, encode_request, encode_slot_news, encode_wake
from engine.wire.start_message import encode_start

#: A worker for tests: the task's input in, its output out; raising fails the attempt.
Worker: TypeAlias = Callable[[dict[str, Json]], Json]

_REPLIES = "baton.replies.harness"

#: Seconds until an answer that does not come counts as missing; in memory all is there at once.
_PATIENCE_SECONDS = 10.0


class TerminalFailure(Exception):
    """Raised by a test's worker to fail its task for good."""


class Harness:
    """An engine with one partition on memory; every method returns once everything has come to rest."""

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        store: Store | None = None,
        connect: OpenBroker | None = None,
        clock: FixedClock | None = None,
    ) -> None:
        self.clock = clock or FixedClock()
        self.store: Store = store or MemoryStore()
        #: The broker in memory, where no other was given.
        self.broker = MemoryBroker()
        connect = connect or self.broker.connect
        #: The connection of the road itself.
        self.road = connect()
        self._outside = connect()
        self._hands = connect()
        self.road.declare_partitions(1)
        self._outside.declare_replies(_REPLIES)
        self._outside.consume(_REPLIES, 100)
        for queue in (START_QUEUE, events_queue(0)):
            self.road.consume(queue, 10_000)
        self.settings = settings or Settings()
        self.executor = self._executor()
        self._count = 0
        #: Every task message that was ever taken from a queue, as (queue, task id).
        self.handed_out: list[tuple[str, str]] = []

    def _executor(self) -> Executor:
        return Executor(self.store, self.road, self.clock, self.settings, 1)

    # definitions

    def register(
        self, *workflows: Mapping[str, Json] | Workflow, tasks: Sequence[Mapping[str, Json] | Task] = ()
    ) -> None:
        """Register workflows and task definitions; raises ``BadDefinition``.

        What a workflow written with ``engine.dsl`` uses is registered with it, unless ``tasks`` says otherwise.
        """
        used = list(with_used(workflows))
        defined = [*(each for each in used if isinstance(each, Task)), *tasks]
        with self.store.transaction() as transaction:
            transaction.register_tasks([check_task(dict(document_of(each))) for each in defined])
            for each in used:
                if not isinstance(each, Task):
                    transaction.register_workflow(check_workflow(dict(document_of(each))), overwrite=True)

    # what happens

    def start(self, name: str, input: JsonObject | None = None, **fields: Json) -> str:  # noqa: A002
        """Publish a start message and return the id of the run."""
        self._count += 1
        workflow_id = str(fields.pop("workflow_id", f"run-{self._count}"))
        start = StartWorkflow(
            event_id=f"start {workflow_id}", workflow_id=workflow_id, name=name, input=input or {}, **fields
        )
        self.publish(encode_start(start))
        return workflow_id

    def publish(self, *messages: Message) -> None:
        """Publish messages and let the road carry them."""
        self._outside.publish(messages)
        self.carry()

    def request(self, workflow_id: str, verb: str, **arguments: Json) -> Outcome:
        """Ask for an operation and return the answer."""
        self._count += 1
        event_id = f"request {self._count}"
        request = Request(
            event_id=event_id,
            workflow_id=workflow_id,
            verb=verb,
            arguments=arguments,
            reply_to=_REPLIES,
            reply_id=event_id,
        )
        return self._answer(encode_request(request, 1), event_id)

    def begin(self, start: StartWorkflow) -> Outcome:
        """Ask for a run and return the answer, as the HTTP door does."""
        return self._answer(
            encode_start(msgspec.structs.replace(start, reply_to=_REPLIES, reply_id=start.event_id)), start.event_id
        )

    def _answer(self, message: Message, event_id: str) -> Outcome:
        self.publish(message)
        while answers := self._outside.receive(100, _PATIENCE_SECONDS):
            self._outside.ack(answers)
            for answer in answers:
                if answer.message.correlation_id == event_id:
                    return decode_outcome(answer)
        raise AssertionError(f"{event_id} was not answered")

    def carry(self) -> None:
        """Let the road carry whatever has arrived until nothing is left."""
        while deliveries := self.arrived():
            self.executor.handle(deliveries)

    def arrived(self) -> list[Delivery]:
        """Return what has arrived for the road, nothing once everything rests."""
        return self.road.receive(self.settings.batch_size, 0)

    def advance(self, seconds: float) -> None:
        """Let time pass, ring whatever has become due on the way, each at its date, and carry it."""
        goal = after(self.clock.now(), seconds)
        while True:
            with self.store.transaction() as transaction:
                due = transaction.next_ring()
            if due is None or due > goal:
                break
            self.clock.set(max(due, self.clock.now()))
            with self.store.transaction() as transaction:
                rung = transaction.ring(self.clock.now(), 0.000_001, 1_000)
                waiting = transaction.ring_limits(self.clock.now(), 0.000_001)
            wakes = [Wake(event_id=f"{each.workflow_id}/{each.wake_at}", workflow_id=each.workflow_id) for each in rung]
            asks = ask_again(waiting, self.clock.now())
            self.publish(*(encode_wake(wake, 1) for wake in wakes), *(encode_slot_news(ask, 1) for ask in asks))
        self.clock.set(goal)

    def close(self) -> None:
        """Close what is connected to a store and a broker outside of this process."""
        for connection in (self.road, self._outside, self._hands):
            connection.close()
        self.store.close()

    def restart_decider(self) -> None:
        """Go on with an executor that remembers nothing."""
        self.executor = self._executor()

    # workers

    def take(self, *queues: str) -> list[Delivery]:
        """Take every waiting message from these task queues, as a worker that never answers would."""
        taken: list[Delivery] = []
        for queue in queues:
            found: list[Delivery] = []
            waiting = self._hands.ready(queue)
            if not waiting:
                continue
            self._hands.consume(queue, waiting)
            while len(found) < waiting:
                found += self._hands.receive(waiting - len(found), _PATIENCE_SECONDS)
            self._hands.ack(found)
            self._hands.cancel(queue)
            taken += found
        self.handed_out += [(each.queue, str(each.message.headers["id"])) for each in taken]
        return taken

    def work(self, workers: Mapping[str, Worker], *, rounds: int = 1_000) -> int:
        """Run queued tasks through these functions (by queue) until none is left; return how many were run."""
        done = 0
        for _ in range(rounds):
            taken = self.take(*workers)
            if not taken:
                return done
            done += len(taken)
            self.publish(*(self._result(delivery, workers[delivery.queue]) for delivery in taken))
        raise AssertionError(f"the workers still had work after {rounds} rounds")

    def _result(self, delivery: Delivery, worker: Worker) -> Message:
        _, kwargs, _ = msgspec.json.decode(delivery.message.body)
        task_id = str(delivery.message.headers["id"])
        try:
            body: Json = {"status": "SUCCESS", "result": worker(kwargs)}
        except TerminalFailure as error:
            body = _failure("TerminalError", error)
        except Exception as error:
            body = _failure(type(error).__name__, error)
        return result_message(delivery, {"task_id": task_id, "traceback": None, "children": [], **body})

    # what became of it

    def rows(self, workflow_id: str) -> Rows:
        """Return a run as it is stored."""
        with self.store.transaction() as transaction:
            return transaction.load([workflow_id])[workflow_id]

    def run(self, workflow_id: str) -> Run:
        """Return a run's own record."""
        return self.rows(workflow_id).workflow

    def task(self, workflow_id: str, ref: str) -> TaskRow:
        """Return the last attempt of the task with that reference name."""
        return [task for task in self.rows(workflow_id).tasks if task.ref == ref][-1]

    def statuses(self, workflow_id: str) -> dict[str, str]:
        """Return the status of the last attempt of every task, by reference name, in the order of scheduling."""
        return {task.ref: task.status.value for task in self.rows(workflow_id).tasks}


def _failure(kind: str, error: Exception) -> Json:
    return {
        "status": "FAILURE",
        "result": {"exc_type": kind, "exc_message": [str(error)], "exc_module": "tests"},
    }


def result_message(delivery: Delivery, body: Json) -> Message:
    """Return the message by which a Celery worker answers a task message."""
    assert delivery.message.reply_to is not None
    return Message(
        queue=delivery.message.reply_to,
        body=msgspec.json.encode(body),
        correlation_id=delivery.message.correlation_id,
        transient=True,
    )
