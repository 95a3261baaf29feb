"""Everybody outside the engine: the workers, whoever starts workflows and asks for things, those who answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
from msgspec import Struct

from engine.clock import Instant, after
from engine.errors import BrokerUnavailable
from engine.model.event import StartWorkflow
from engine.model.execution import NEVER, Task, split_task_id
from engine.model.request import Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Rows
from engine.testing.harness import result_message
from engine.wire.message import Delivery, Message
from engine.wire.request_message import encode_request
from engine.wire.start_message import encode_start
from tests.simulation.scenario import PARTITIONS, Root
from tests.simulation.workflows import QUEUES

if TYPE_CHECKING:
    from tests.simulation.world import World

_REPLIES = "baton.reply.client"


class Job(Struct):
    """A task in a worker's hands."""

    delivery: Delivery
    task_id: str
    ends_at: Instant
    #: What is said before the end, and how often the end itself is said.
    behaviour: str


def worker_answer(workflow_name: str, task: Task, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a worker says: it follows from the step, the attempt and the input alone."""
    facts = [workflow_name, task.ref, task.attempt, sorted((key, str(value)) for key, value in given.items())]
    number = crc32(msgspec.json.encode(facts))
    # What an attempt comes to hangs on the step, so that the same input may fail first and succeed then.
    chance = crc32(f"{workflow_name}/{task.ref}/{task.attempt}".encode()) % 100
    if chance < 4:
        return _failure("TerminalError")
    if chance < 20:
        return _failure("ValueError")
    return {"status": "SUCCESS", "result": {"n": number, "way": "ab"[number % 2], "from": task.ref}}


def _failure(kind: str) -> dict[str, Any]:
    return {"status": "FAILURE", "result": {"exc_type": kind, "exc_message": ["it broke"], "exc_module": "tests"}}


class Workers:
    """All workers together: they take a task, and some time later they say what has come of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.connection = world.hub.connect()
        self.jobs: list[Job] = []
        self.taken = 0
        #: Every answer that was ever given, by task id: the statuses said.
        self.said: dict[str, set[str]] = {}
        #: Tasks that somebody took and will never answer.
        self.hung: set[str] = set()
        for queue in QUEUES:
            self.connection.consume(queue, 100_000)

    def ready(self) -> bool:
        from tests.simulation.servers import arrived

        now = self._world.clock.now()
        return arrived(self.connection) or any(job.ends_at <= now for job in self.jobs)

    def next_date(self) -> Instant | None:
        return min((job.ends_at for job in self.jobs), default=None)

    def turn(self) -> None:
        """Take one task, or finish one."""
        now = self._world.clock.now()
        due = [job for job in self.jobs if job.ends_at <= now]
        try:
            if due and self._world.choose(2):
                self._finish(due[self._world.choose(len(due))])
                return
            for delivery in self.connection.receive(1, 0):
                self._take(delivery)
                return
            if due:
                self._finish(due[0])
        except BrokerUnavailable:
            # What was unacked is delivered again; who worked on it says what it has to say nevertheless.
            self.connection.reconnect()

    def _take(self, delivery: Delivery) -> None:
        world, task_id = self._world, str(delivery.message.headers["id"])
        behaviour = world.worker_behaviours.get(self.taken, "")
        self.taken += 1
        world.note(f"worker takes {task_id}{' and ' + behaviour if behaviour else ''}")
        seconds = 30 + world.choose(70) if behaviour == "slow" else world.choose(40) / 10
        if behaviour == "dies":
            self.connection.reject([delivery])
            return
        if behaviour == "hangs":
            world.changed_by_chance(task_id.rpartition(".")[0])
            self.hung.add(task_id)
            self.connection.ack([delivery])
            return
        self.jobs.append(Job(delivery, task_id, after(world.clock.now(), seconds), behaviour))
        if behaviour in ("alive", "slow"):
            self._say(delivery, task_id, {"status": "STARTED", "result": {"pid": 1, "hostname": "w"}})
        elif behaviour == "progress":
            self._say(delivery, task_id, {"status": "PROGRESS", "result": {"percent": 50}})

    def _finish(self, job: Job) -> None:
        world = self._world
        self.jobs.remove(job)
        answer = self._answer(job)
        if answer is not None:
            self._say(job.delivery, job.task_id, answer)
            if job.behaviour == "twice":
                self._say(job.delivery, job.task_id, answer)
            elif job.behaviour == "late twice":
                again = Job(job.delivery, job.task_id, after(world.clock.now(), 100), "again")
                self.jobs.append(again)
        self.connection.ack([job.delivery])

    def _answer(self, job: Job) -> dict[str, Any] | None:
        parts = split_task_id(job.task_id)
        assert parts is not None
        rows = self._world.rows(parts[0])
        if rows is None:
            return None
        task = rows.tasks[parts[1] - 1]
        _, given, _ = msgspec.json.decode(job.delivery.message.body)
        return worker_answer(rows.workflow.name, task, given)

    def _say(self, delivery: Delivery, task_id: str, body: dict[str, Any]) -> None:
        self.said.setdefault(task_id, set()).add(body["status"])
        whole = {"task_id": task_id, "traceback": None, "children": [], **body}
        try:
            self.connection.publish([result_message(delivery, whole)])
        except BrokerUnavailable:
            # A worker tries again until the broker is back.
            self.connection.reconnect()
            self.connection.publish([result_message(delivery, whole)])


class Client:
    """Starts workflows, asks for operations, repeats what was lost, and answers where a person is waited for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.connection = world.hub.connect()
        self._listen()
        self._count = 0
        self._signalled: dict[str, Instant] = {}
        #: Requests that were asked, and those that were answered.
        self.asked: set[str] = set()
        self.answered: set[str] = set()

    def _listen(self) -> None:
        self.connection.declare_replies(_REPLIES)
        self.connection.consume(_REPLIES, 10_000)

    def start(self, root: Root) -> None:
        start = StartWorkflow(event_id=f"start {root.name}", workflow_id=root.name, name=root.name, input={"n": 1})
        self.publish(encode_start(start))

    def ask(self, workflow_id: str, verb: str, **arguments: Any) -> None:
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
        self._world.note(f"client asks {verb} of {workflow_id}")
        self.publish(encode_request(request, PARTITIONS))
        self.asked.add(event_id)

    def publish(self, message: Message) -> None:
        try:
            self.connection.publish([message])
        except BrokerUnavailable:
            self._lose_the_line()
            self.connection.publish([message])

    def _lose_the_line(self) -> None:
        """Go on without the answers to what was asked: their queue has gone with the line."""
        self.asked.clear()
        self.connection.reconnect()

    def read_answers(self) -> None:
        try:
            found = self.connection.receive(10_000, 0)
        except BrokerUnavailable:
            self._lose_the_line()
            return
        self.connection.ack(found)
        self.answered |= {str(each.message.correlation_id) for each in found}

    def look(self, *, calm: bool) -> None:
        """Answer for people, and when everything calms down, let go on what was halted and repeat what was lost."""
        self.read_answers()
        for rows in self._world.every_run():
            if rows.workflow.status is WorkflowStatus.PAUSED and calm:
                self._once_in_a_while(f"resume {rows.workflow.id}", rows.workflow.id, "resume", 60)
            elif rows.workflow.status is WorkflowStatus.RUNNING:
                self._answer_for_people(rows)
        if self._world.wiped and calm:
            for root in self._world.missing_roots():
                self.start(root)

    def _answer_for_people(self, rows: Rows) -> None:
        for task in rows.tasks:
            waits = task.type == "HUMAN" or (task.type == "WAIT" and not task.due_at)
            if not waits or task.status is not TaskStatus.IN_PROGRESS:
                continue
            patience = crc32(task.ref.encode()) % 30
            if self._world.clock.now() >= after(task.started_at, patience):
                ref = {"ref": task.ref, "output": {"by": "a person"}}
                self._once_in_a_while(f"signal {task.id}", rows.workflow.id, "signal", 60, **ref)

    def _once_in_a_while(self, key: str, workflow_id: str, verb: str, seconds: float, **arguments: Any) -> None:
        now = self._world.clock.now()
        if now >= self._signalled.get(key, NEVER):
            self._signalled[key] = after(now, seconds)
            self.ask(workflow_id, verb, **arguments)
