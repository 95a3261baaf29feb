"""Everybody outside the engine: the workers, whoever starts workflows and asks for things, those who answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
from msgspec import Struct

from engine.clock import Instant, after
from engine.errors import BrokerUnavailable
from engine.model.event import StartWorkflow
from engine.model.execution import NEVER, Task, split_task_id
from engine.model.request import HANDED_OUT, Outcome, Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import Rows
from engine.testing.harness import result_message
from engine.wire.message import Delivery, Message
from engine.wire.request_message import decode_outcome, encode_request
from engine.wire.start_message import encode_start
from tests.simulation.answers import PERSON, answer, plain_ref
from tests.simulation.past import is_taken_up
from tests.simulation.rules import Rule, expect
from tests.simulation.scenario import PARTITIONS, Root
from tests.simulation.shapes import TIMED
from tests.simulation.workflows import QUEUES, RESPONSE_SECONDS, TARGET

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


#: The slowest worker of a task with a timeout, seconds.
_SLOWEST_SECONDS = 90
#: How often a service that is polled is asked in vain, at most.
_MOST_POLLS = 4
_STARTED = {"status": "STARTED", "result": {"pid": 1, "hostname": "w"}}
#: What is said before the end, by behaviour.
_SIGNS = {
    "alive": _STARTED,
    "slow": _STARTED,
    "hangs alive": _STARTED,
    "progress": {"status": "PROGRESS", "result": {"percent": 50}},
    "retries": {"status": "RETRY", "result": {"exc_type": "ValueError", "exc_message": ["later"]}},
}
#: What changes the outcome.
_CHANGING = frozenset({"hangs", "hangs alive", "too late", "contradicts"})


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
        #: Tasks that kill every worker.
        self.deadly: set[str] = set()
        #: Tasks that came again, of which a worker has asked whether it may begin them.
        self._asked: set[str] = set()
        #: How often the engine was told that a task was begun, by task id.
        self.begun: Counter[str] = Counter()
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
        asks = delivery.redelivered and task_id not in self._asked | self.deadly
        if asks:
            # Whoever had it may have died of it, so it counts as begun before; this one asks, and begins without
            # waiting for the answer.
            self._asked.add(task_id)
            self.begun[task_id] += 2
            world.client.ask(task_id.rpartition(".")[0], "take_again", taskId=task_id, workerId="w")
        if behaviour == "polls":
            self._ask_for(delivery, task_id)
        if behaviour == "deadly" or task_id in self.deadly:
            self._die_of(delivery, task_id)
            return
        if behaviour == "dies":
            self.connection.reject([delivery])
            return
        if behaviour in _CHANGING:
            world.changed_by_chance(task_id.rpartition(".")[0])
        sign = _SIGNS.get(behaviour)
        if sign is not None:
            self._say(delivery, task_id, {**sign, "asks": True} if asks else sign)
        if behaviour.startswith("hangs"):
            self.hung.add(task_id)
            self.connection.ack([delivery])
            return
        seconds = self._seconds(behaviour, str(delivery.message.queue))
        self.jobs.append(Job(delivery, task_id, after(world.clock.now(), seconds), behaviour))

    def _ask_for(self, delivery: Delivery, task_id: str) -> None:
        """Ask for a task as a server does for a worker that polls; this one begins without waiting for the answer."""
        self.begun[task_id] += 2
        run, again = task_id.rpartition(".")[0], delivery.redelivered
        self._world.client.ask(run, "take_task", taskId=task_id, workerId="w", redelivered=again)

    def _die_of(self, delivery: Delivery, task_id: str) -> None:
        """Begin a task that kills whoever begins it; from the second time on, the engine is asked first."""
        parts = split_task_id(task_id)
        task = None if parts is None else self._world.task(*parts)
        if task is None or task.status.is_terminal:
            self.connection.ack([delivery])
            return
        if task_id in self.deadly:
            self.begun[task_id] += 2
            self._world.client.ask(task.workflow_id, "take_again", taskId=task_id, workerId="w")
        self.deadly.add(task_id)
        self.said.setdefault(task_id, set()).add("FAILURE")
        self._world.changed_by_chance(task.workflow_id)
        self.connection.reject([delivery])

    def _seconds(self, behaviour: str, queue: str) -> float:
        """Return how long an attempt takes."""
        if behaviour == "slow":
            return 30 + self._world.choose(70)
        if behaviour == "too late":
            return RESPONSE_SECONDS + 100 + self._world.choose(100)
        return self._world.choose(_SLOWEST_SECONDS if queue in TIMED else 40) / (1 if queue in TIMED else 10)

    def _finish(self, job: Job) -> None:
        world = self._world
        self.jobs.remove(job)
        body = self._answer(job)
        if body is not None:
            self._say(job.delivery, job.task_id, body)
            if job.behaviour == "twice":
                self._say(job.delivery, job.task_id, body)
            elif job.behaviour == "contradicts":
                self._say(job.delivery, job.task_id, _contrary(body))
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
        task = self._world.task(*parts)
        if task is None:
            # It was to be forgotten, and was; who works on it does not know.
            expect(parts[1] in self._world.invariants.forgotten[parts[0]], Rule.STATES, f"{job.task_id} is gone")
            return {"status": "SUCCESS", "result": {}}
        _, given, _ = msgspec.json.decode(job.delivery.message.body)
        said = answer(rows.workflow.name, plain_ref(task), task.attempt, given)
        if task.type == "HTTP_POLL" and said["status"] == "SUCCESS":
            call = int(str(job.delivery.message.headers.get("calls", 0)))
            enough = call >= crc32(task.ref.encode()) % _MOST_POLLS
            return {**said, "result": {**said["result"], "condition": enough, "call": call}}
        return said

    def heard_twice(self, message: Message) -> None:
        """Take note that the broker has made two of a message: nobody can tell that from a task begun twice."""
        if b'"status":"STARTED"' in message.body:
            body = msgspec.json.decode(message.body)
            self.begun[body["task_id"]] += _says_begun(body)
        elif b'"take_again"' in message.body:
            self.begun[msgspec.json.decode(message.body)["arguments"]["taskId"]] += 1

    def _say(self, delivery: Delivery, task_id: str, body: dict[str, Any]) -> None:
        self.said.setdefault(task_id, set()).add(body["status"])
        self.begun[task_id] += _says_begun(body)
        whole = {"task_id": task_id, "traceback": None, "children": [], **body}
        try:
            self.connection.publish([result_message(delivery, whole)])
        except BrokerUnavailable:
            # A worker tries again until the broker is back.
            self.connection.reconnect()
            self.connection.publish([result_message(delivery, whole)])


def _says_begun(body: dict[str, Any]) -> bool:
    """True for the word of a worker that has begun a task, and is not one of those that ask first."""
    return body["status"] == "STARTED" and "asks" not in body


def _contrary(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a second worker to whom it has gone quite differently."""
    if body["status"] == "SUCCESS":
        return {"status": "FAILURE", "result": {"exc_type": "OSError", "exc_message": ["no"], "exc_module": "tests"}}
    return {"status": "SUCCESS", "result": {"n": -1, "way": "b", "from": "another"}}


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
        self.every_request: set[str] = set()
        #: Starts that are only wanted where the run does not go on, and the end that it had come to by then.
        self._ended_before: dict[str, Rows] = {}

    def _listen(self) -> None:
        self.connection.declare_replies(_REPLIES)
        self.connection.consume(_REPLIES, 10_000)

    def start(self, root: Root) -> None:
        start = StartWorkflow(event_id=f"start {root.name}", workflow_id=root.name, name=root.name, input={"n": 1})
        self.publish(encode_start(start))

    def start_once(self, root: Root) -> None:
        """Want the run begun unless it goes on already."""
        self._count += 1
        event_id = f"start once {self._count}"
        rows = self._world.rows(root.name)
        if rows is not None and rows.workflow.status.is_terminal:
            self._ended_before[event_id] = rows
        start = StartWorkflow(
            event_id=event_id,
            workflow_id=root.name,
            name=root.name,
            input={"n": 1},
            idempotency_strategy="FAIL_ON_RUNNING",
            reply_to=_REPLIES,
            reply_id=event_id,
        )
        self.publish(encode_start(start))
        self.asked.add(event_id)

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
        self._world.note(f"client asks {verb} of {workflow_id} as {event_id}")
        self.every_request.add(event_id)
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
        for each in found:
            asked = str(each.message.correlation_id)
            self.answered.add(asked)
            outcome = decode_outcome(each)
            if asked in self._ended_before:
                self._check_answer(self._ended_before[asked], outcome)
            if outcome.result.get(HANDED_OUT):
                # The audit trail does not tell of it.
                self._world.invariants.granted.add("take_task")

    def _check_answer(self, then: Rows, outcome: Outcome) -> None:
        """A run that had ended, and that nobody has had go on since, does not go on."""
        rows = self._world.rows(then.workflow.id)
        stayed = rows is not None and not is_taken_up(rows, then)
        what = f"{then.workflow.id} had ended, and who asked for it was told: {outcome.message}"
        expect(outcome.granted or not stayed, Rule.ANSWER, what)

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
            if task.status is not TaskStatus.IN_PROGRESS:
                continue
            waits = (
                task.type in ("HUMAN", "WAIT_FOR_WEBHOOK")
                or (task.type == "YIELD" and (TARGET not in task.ref or not self._is_awaited(task, rows)))
                or (task.type == "WAIT" and not task.due_at)
            )
            handed_over = task.dispatched and not (task.queue or task.child_id or task.type == "UPDATE_TASK")
            patience = crc32(task.ref.encode()) % 30
            if self._world.clock.now() < after(task.updated_at or task.started_at, patience):
                continue
            if waits:
                given = {"ref": task.ref, "output": PERSON}
                self._once_in_a_while(f"signal {task.id}", rows.workflow.id, "signal", 60, **given)
            elif task.type == "PULL_WORKFLOW_MESSAGES":
                self._once_in_a_while(f"send {task.id}", rows.workflow.id, "send_message", 60, payload=PERSON)
            elif handed_over:
                given = {"taskId": task.id, "status": "COMPLETED", "output": PERSON}
                self._once_in_a_while(f"complete {task.id}", rows.workflow.id, "update_task", 60, **given)

    def _is_awaited(self, target: Task, rows: Rows) -> bool:
        """True where a task of the run may still end the one that waits: not skipped, nor done before a rerun."""
        skipped = any(task.status is TaskStatus.SKIPPED for task in rows.tasks)
        ends = target.ref.replace(TARGET, "ends")
        done = any(task.ref == ends and task.status.is_terminal for task in rows.tasks)
        return not (skipped or done or rows.workflow.skips)

    def report(self, task: Task, status: str, **arguments: Any) -> None:
        """Say something about a task in a worker's place."""
        said = {"COMPLETED": "SUCCESS", "FAILED": "FAILURE"}.get(status, status)
        self._world.workers.said.setdefault(task.id, set()).add(said)
        self.ask(task.workflow_id, "update_task", taskId=task.id, status=status, **arguments)

    def _once_in_a_while(self, key: str, workflow_id: str, verb: str, seconds: float, **arguments: Any) -> None:
        now = self._world.clock.now()
        if now >= self._signalled.get(key, NEVER):
            self._signalled[key] = after(now, seconds)
            self.ask(workflow_id, verb, **arguments)
