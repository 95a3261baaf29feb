"""What must hold at every step of a story (the invariants of the engine's design), and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from engine.decider.decide import decide
from engine.decider.draft import Surroundings
from engine.decider.execution import Execution, restore
from engine.decider.messages import messages
from engine.decider.unconfirmed import recall
from engine.errors import BadMessage
from engine.model.event import ChildEnded, ChildStarted, Event, StartWorkflow, TaskResult
from engine.model.execution import NEVER, Task
from engine.model.request import Request
from engine.model.status import TASK_TRANSITIONS, WORKFLOW_TRANSITIONS, TaskStatus, WorkflowStatus
from engine.store.port import Rows, Save
from engine.wire.inbound import decode
from engine.wire.message import Delivery, Message
from tests.property.world import DERIVED, derived
from tests.simulation.message_names import name_of
from tests.simulation.processes import Process
from tests.simulation.scenario import PARTITIONS

if TYPE_CHECKING:
    from engine.services.decider import RoadService
    from tests.simulation.world import World


_S = TypeVar("_S", TaskStatus, WorkflowStatus)


class Violated(AssertionError):
    """Something has happened that must never happen."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Violated(what)


class _ExecutorLog:
    """Stands in for the executor's log: what it may only write when it has met a fault of its own is a violation."""

    def __getattr__(self, level: str) -> Any:
        def write(event: str, **fields: Any) -> None:
            expect(event in _HARMLESS_NEWS, f"the executor reports {event}: {fields}")

        return write


_HARMLESS_NEWS = frozenset({"message.buried", "start.refused"})


class Invariants:
    """Looks on at every commit, confirm and ack."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.executor_log = _ExecutorLog()
        self.services: dict[str, RoadService] = {}
        #: When each message was last confirmed to whoever sent it, by its name; counted in confirms.
        self.confirms: dict[str, int] = {}
        self._count = 0
        #: For each event that a commit has applied: when.
        self._applied: dict[tuple[str, str], int] = {}
        #: What each finished task's worker said first.
        self.dead_letters: dict[str, str] = {}
        self.recalled = 0
        self.conflicts = 0

    # at a commit

    def committed(self, saved: Sequence[tuple[Save, Rows | None]]) -> None:
        for save, before in saved:
            rows = self._world.rows(save.workflow.id)
            assert rows is not None
            self._note_applied(save, before)
            _check_versions(save, before)
            _check_moves(rows, before, several=len(save.workflow.unconfirmed) > 1)
            _check_rows(rows)
            self._check_results(rows, before)
            run = self._restored(rows)
            _check_joins(run, before)
            if self._world.trace is not None:
                shown = ", ".join(f"{task.seq}:{task.ref}#{task.attempt} {task.status}" for task in rows.tasks)
                self._world.note(
                    f"saved {rows.workflow.id} v{rows.workflow.version_no} {rows.workflow.status}: {shown}"
                )

    def _note_applied(self, save: Save, before: Rows | None) -> None:
        known = {note[0] for note in before.workflow.unconfirmed} if before is not None else set()
        for note in save.workflow.unconfirmed:
            if note[0] not in known:
                self._applied[save.workflow.id, note[0]] = self._count

    def _check_results(self, rows: Rows, before: Rows | None) -> None:
        """A worker's task ends as a worker has said, and only once (I2, I7)."""
        known = len(before.tasks) if before is not None else 0
        for task in rows.tasks:
            was = before.tasks[task.seq - 1] if before is not None and task.seq <= known else None
            if task is was or not task.queue or (was is not None and was.status.is_terminal):
                continue
            said = self._world.workers.said.get(task.id, set())
            if (
                task.status in (TaskStatus.COMPLETED, TaskStatus.COMPLETED_WITH_ERRORS)
                and task.status != "COMPLETED_WITH_ERRORS"
            ):
                expect("SUCCESS" in said, f"{task.id} is COMPLETED and no worker has said so")
            if task.status in (TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR):
                expect("FAILURE" in said, f"{task.id} is {task.status} and no worker has said so: {task.reason}")

    def _restored(self, rows: Rows) -> Execution:
        return restore(rows.workflow, rows.tasks, self._world.store._tables.snapshots[rows.workflow.definition_hash])

    # at a confirm

    def confirmed(self, names: Sequence[str], sent: Sequence[Message]) -> None:
        self._count += 1
        for name in names:
            self.confirms[name] = self._count
        for name, message in zip(names, sent, strict=True):
            self._world.note(f"sent {name}")
            if name.startswith("dead:"):
                self.dead_letters[str(message.message_id)] = str(message.headers.get("reason"))

    # at an ack

    def acked(self, process: Process, deliveries: Sequence[Delivery]) -> None:
        """Everything that the acked events have led to is stored and confirmed (I1); nothing is left to apply (I2)."""
        for delivery in deliveries:
            self._world.note(f"{process.name} acks {name_of(delivery.message)}")
            try:
                said = decode(delivery, lambda: "nobody")
            except BadMessage:
                expect(f"dead:{delivery.message.message_id}" in self.confirms, "an unreadable message was dropped (I5)")
                continue
            rows = self._world.rows(said.workflow_id)
            if rows is None:
                expect(
                    not isinstance(said, StartWorkflow), f"the start of {said.workflow_id} was acked and is lost (I1)"
                )
                continue
            self._check_sent(rows, said)
            if isinstance(said, Request):
                expect(said.event_id in self._logged(rows), f"{said.verb} was acked and is in no audit trail (I1)")
            elif isinstance(said, ChildStarted | ChildEnded) or (isinstance(said, TaskResult) and _is_end(said)):
                self._check_applied(rows, said)
        service = self.services.get(process.name)
        if service is not None:
            self._check_memory(service)

    def _check_sent(self, rows: Rows, said: Event | StartWorkflow) -> None:
        """What an applied event has commanded has been sent since, unless it is out of date by now."""
        at = self._applied.get((rows.workflow.id, said.event_id))
        commands = recall(rows.workflow.unconfirmed, said.event_id)
        if at is None or not commands:
            return
        run = self._restored(rows)
        for command in commands:
            for message in messages(run, command, PARTITIONS):
                name = name_of(message)
                expect(self.confirms.get(name, -1) > at, f"{said.event_id} was acked before {name} was sent (I1)")

    def _check_applied(self, rows: Rows, said: Event) -> None:
        if rows.workflow.wake_at != NEVER and rows.workflow.wake_at <= self._world.clock.now():
            # The flow was stopped on its way by the step budget, or goes on anyway.
            return
        run = self._restored(rows)
        run.fresh = False
        again = decide(
            run, [said], self._world.clock.now(), Surroundings(task_defs=self._world.store._tables.task_defs)
        )
        holds = again.is_empty and not again.commands.get(said.event_id)
        late = rows.workflow.status.is_terminal or isinstance(said, ChildStarted)
        expect(holds or late, f"{said.event_id} of {said.workflow_id} was acked and is not applied (I1, I2)")

    def _logged(self, rows: Rows) -> set[str]:
        with self._world.store.transaction() as transaction:
            return {line.request.event_id for line in transaction.requests(rows.workflow.id)}

    def _check_memory(self, service: RoadService) -> None:
        """What a decider has in memory of a run is what the rows say, where it is of the same version (I3)."""
        executor = service.executor
        if executor is None:
            return
        expect(not executor.counts.given_up, "a run was given up (I6)")
        for workflow_id, resident in executor._residents._runs.items():
            rows = self._world.rows(workflow_id)
            run = resident.run
            if rows is None or run.fresh or run.workflow.version_no != rows.workflow.version_no:
                continue
            expect(run.workflow == rows.workflow, f"{workflow_id} in memory is not what is stored")
            if run.workflow.status.is_terminal:
                continue
            inside, outside = derived(run), derived(self._restored(rows))
            for name in DERIVED:
                expect(
                    inside[name] == outside[name],
                    f"{name} of {workflow_id} in memory differ from the rows': {inside[name]} / {outside[name]}",
                )

    def died(self, name: str) -> None:
        service = self.services.pop(name, None)
        if service is not None and service.executor is not None:
            self.recalled += service.executor.counts.recalled
            self.conflicts += service.executor.counts.conflicts

    # in between

    def something_moves_every_run(self) -> None:
        """A RUNNING run has a date, or something about it is on its way, or somebody outside is waited for (I4)."""
        flying: dict[str, list[str]] | None = None
        for rows in self._world.every_run():
            if rows.workflow.status is not WorkflowStatus.RUNNING:
                continue
            flying = self._world.in_flight() if flying is None else flying
            near = flying.get(rows.workflow.id, [])
            if self._world.wiped or any(name.startswith("baton.") for name in near):
                continue
            if rows.workflow.wake_at == NEVER:
                expect(any(map(self._moves, _open(rows))), f"{rows.workflow.id} is RUNNING and nothing moves it (I4)")
            for task in _open(rows):
                expect(self._is_somewhere(task), f"{task.id} ({task.ref}) was handed out and is nowhere (I4)")

    def _moves(self, task: Task) -> bool:
        return task.type in ("HUMAN", "WAIT") or bool(task.child_id) or bool(task.queue)

    def _is_somewhere(self, task: Task) -> bool:
        world = self._world
        if not task.dispatched:
            return task.visible_at >= NEVER
        if task.child_id:
            return world.rows(task.child_id) is not None or f"start:{task.child_id}" in self._unsent()
        if not task.queue or task.id in world.workers.hung:
            return True
        return any(job.task_id == task.id for job in world.workers.jobs) or task.id in self._unsent()

    def _unsent(self) -> set[str]:
        """Return the names of what waits in any queue or is unacked: task ids, and starts by their name."""
        hub = self._world.hub
        entries = [entry for queue in hub.queues.values() for entry in queue.entries()]
        entries += [entry for connection in hub.connections for entry in connection._unacked]
        names = {name_of(entry.message) for entry in entries}
        return names | {name.removeprefix("task:") for name in names}

    # at the end

    def at_the_end(self) -> None:
        for name in list(self.services):
            self.died(name)
        unanswered = self._world.client.asked - self._world.client.answered
        expect(not unanswered, f"nobody has answered {sorted(unanswered)}")
        for rows in self._world.every_run():
            self._check_ended(rows)
        if not self._world.wiped:
            lost = [name for name in self._world.faults.garbage if name not in self.dead_letters]
            expect(not lost, f"unreadable messages are not among the dead letters: {lost} (I5)")

    def _check_ended(self, rows: Rows) -> None:
        """What an ended run owes to others has been sent."""
        workflow, wiped = rows.workflow, self._world.wiped
        expect(not list(_open(rows)), f"{workflow.id} has ended with open tasks (I8)")
        for status in () if wiped else ("RUNNING", workflow.status):
            expect(f"status:{workflow.id}:{status}" in self.confirms, f"nobody was told that {workflow.id} is {status}")
        if workflow.failure_workflow_id and not wiped:
            expect(self._world.rows(workflow.failure_workflow_id) is not None, f"{workflow.id}: no failure workflow")
        for task in rows.tasks:
            given_up = task.status in (TaskStatus.CANCELED, TaskStatus.TIMED_OUT) and task.dispatched and not wiped
            if given_up and task.type == "SUB_WORKFLOW" and task.child_id and not _child_ended_so(self._world, task):
                expect(f"request:{task.id}/cancel" in self.confirms, f"the child of {task.id} was left running (I8)")
            elif given_up and task.queue:
                expect(f"revoke:{task.id}" in self.confirms, f"{task.id} was not revoked (I8)")


def _child_ended_so(world: World, task: Task) -> bool:
    rows = world.rows(str(task.child_id))
    ended = (WorkflowStatus.TERMINATED, WorkflowStatus.TIMED_OUT)
    # An operator may have retried the child of a parent that had ended as the child did.
    return rows is None or rows.workflow.status in ended or rows.workflow.last_retried_at != NEVER


def _open(rows: Rows) -> list[Task]:
    return [task for task in rows.tasks if task.status.is_open]


def _is_end(said: TaskResult) -> bool:
    return said.status is not TaskStatus.IN_PROGRESS


def _check_versions(save: Save, before: Rows | None) -> None:
    stored = None if before is None else before.workflow.version_no
    expect(save.loaded_version == stored, f"{save.workflow.id} was saved over version {stored} (I3)")
    expect(save.workflow.version_no == (stored or 0) + 1, f"{save.workflow.id} skips a version (I3)")


def _reachable(table: Mapping[_S, frozenset[_S]], then: _S, several: bool) -> set[_S]:
    """Return the statuses that may follow: one save may hold several steps where it holds several events."""
    found = {then, *table[then]}
    return found | {last for each in found for last in table[each]} if several else found


def _check_moves(rows: Rows, before: Rows | None, *, several: bool) -> None:
    """Statuses follow the tables; what has ended stays as it is."""
    if before is None:
        return
    now, then = rows.workflow.status, before.workflow.status
    allowed = _reachable(WORKFLOW_TRANSITIONS, then, several)
    expect(now in allowed, f"{rows.workflow.id} went from {then} to {now}")
    for task, was in zip(rows.tasks, before.tasks, strict=False):
        if task is was:
            continue
        may_follow = _reachable(TASK_TRANSITIONS, was.status, several)
        expect(task.status in may_follow, f"{task.id} ({task.ref}) went from {was.status} to {task.status}")
        if was.status.is_terminal and task.status.is_terminal:
            expect(task.output == was.output, f"{task.id} ({task.ref}) had ended and got another output (I2)")
        expect(task.attempt == was.attempt and task.ref == was.ref, f"{task.id} has become another task")


def _check_rows(rows: Rows) -> None:
    """No reference is scheduled twice for one attempt; attempts follow one another; ended runs rest."""
    identity = rows.workflow.id
    seen: dict[str, int] = {}
    for number, task in enumerate(rows.tasks, 1):
        expect(task.seq == number, f"{identity} has no task {number}")
        expect(
            seen.get(task.ref, -1) == task.attempt - 1,
            f"{identity}: {task.ref} has attempt {task.attempt} twice or too early",
        )
        seen[task.ref] = task.attempt
    if rows.workflow.status.is_terminal:
        expect(not _open(rows), f"{identity} is {rows.workflow.status} and has open tasks")


def _check_joins(run: Execution, before: Rows | None) -> None:
    known = {} if before is None else {task.seq: task for task in before.tasks}
    for task in run.tasks.values():
        was = known.get(task.seq)
        if task.type != "JOIN" or not task.status.is_successful or (was is not None and was.status.is_terminal):
            continue
        suffix = task.ref.removeprefix(run.configs[task.seq].task_reference_name)
        for ref in task.input["joinOn"]:
            seq = run.latest.get(ref + suffix)
            if seq is not None:
                expect(run.tasks[seq].executed, f"{task.ref} did not wait for {ref + suffix}")
