"""Looks on at every commit, confirm and ack: what must hold at every step of a story."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.decider.decide import decide
from engine.decider.draft import Surroundings
from engine.decider.execution import Execution, restore
from engine.decider.messages import messages
from engine.decider.unconfirmed import recall
from engine.errors import BadMessage
from engine.model.command import Cancel, Command
from engine.model.event import ChildEnded, ChildStarted, Event, StartWorkflow, TaskResult
from engine.model.execution import NEVER
from engine.model.request import Request
from engine.model.status import Slot, TaskStatus
from engine.operations import is_logged
from engine.store.port import LoggedRequest, Rows, Save
from engine.wire.inbound import decode
from engine.wire.message import Delivery, Message
from engine.wire.nearer import NEARER_KEY
from tests.property.world import DERIVED, derived
from tests.simulation.granted import has_happened, hastened_by
from tests.simulation.message_names import name_of
from tests.simulation.past import was_taken_up
from tests.simulation.processes import Process
from tests.simulation.row_rules import check_rows, forgotten_by
from tests.simulation.rules import Rule, Violated, expect
from tests.simulation.scenario import PARTITIONS
from tests.simulation.workflows import LIMITS

if TYPE_CHECKING:
    from engine.services.decider import RoadService
    from tests.simulation.world import World

#: What the executor may report without having met a fault of its own.
_HARMLESS_NEWS = frozenset({"message.buried", "start.refused", "message.unsendable"})
_UNDECIDABLE = "workflow.undecidable"


class _ExecutorLog:
    """Stands in for the executor's log: what it may only write when it has met a fault of its own is a violation."""

    def __init__(self, poisoned: set[str]) -> None:
        self._poisoned = poisoned

    def __getattr__(self, level: str) -> Any:
        def write(event: str, **fields: Any) -> None:
            expected = event == _UNDECIDABLE and fields.get("workflow_id") in self._poisoned
            expect(expected or event in _HARMLESS_NEWS, Rule.I6, f"the executor reports {event}: {fields}")

        return write


class _Applied(NamedTuple):
    """Who has stored that an event was applied, with which commit, and after how many confirms."""

    by: str
    commit: int
    at: int


class Invariants:
    """Keeps what it has seen, to compare with what comes next."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.executor_log = _ExecutorLog(world.poisoned)
        self.services: dict[str, RoadService] = {}
        #: When each message was last confirmed to whoever sent it, by its name; counted in confirms.
        self.confirms: dict[str, int] = {}
        #: … and when for the first time.
        self.first_confirms: dict[str, int] = {}
        self._count = 0
        #: For each event that a commit has applied: when.
        self._applied: dict[tuple[str, str], _Applied] = {}
        self.dead_letters: dict[str, str] = {}
        #: Requests of the client that stand in the audit trail, and of which run.
        self._carried_out: dict[str, str] = {}
        #: What was asked of runs and granted.
        self.granted: set[str] = set()
        self.recalled = 0
        self.conflicts = 0
        #: Tasks of each run, by their seq, that loops did not want kept.
        self.forgotten: dict[str, set[int]] = defaultdict(set)
        self._commits = 0
        #: In which commit each run was stored for the first time.
        self._began: dict[str, int] = {}
        #: After which commit each process has begun its last transaction.
        self._looked: dict[str, int] = {}

    # when a transaction begins

    def looks(self, process: Process) -> None:
        """Take note of how much is stored that a process can see."""
        self._looked[process.name] = self._commits

    # at a commit

    def committed(
        self, process: Process, saved: Sequence[tuple[Save, Rows | None]], logged: Sequence[LoggedRequest]
    ) -> None:
        """Look at what a transaction has stored."""
        world = self._world
        budget = world.settings.step_budget
        hastened = hastened_by(logged)
        self._commits += 1
        for save, before in saved:
            self._began.setdefault(save.workflow.id, self._commits)
            rows = world.rows(save.workflow.id)
            if rows is None:
                ended = before is not None and before.workflow.status.is_terminal
                expect(ended and save.removed is not None, Rule.OPERATOR, f"{save.workflow.id} has gone")
                self._is_removed(save.workflow.id)
                continue
            self._note_applied(process, save, before)
            run = self._restored(rows)
            self.forgotten[save.workflow.id] |= forgotten_by(save, before, run)
            check_rows(save, before, rows, run, world.latest, budget, hastened)
            self._check_results(rows, before)
            if world.trace is not None:
                shown = ", ".join(f"{task.seq}:{task.ref}#{task.attempt} {task.status}" for task in rows.tasks)
                world.note(f"saved {rows.workflow.id} v{rows.workflow.version_no} {rows.workflow.status}: {shown}")
        if any(task.name in LIMITS for save, _ in saved for task in (*save.inserted, *save.updated)):
            self._check_limits()
        for line in logged:
            self._check_once(line)
        for line in {line.request.workflow_id: line for line in logged}.values():
            self._check_done(line)

    def _is_removed(self, workflow_id: str) -> None:
        """Forget a run: another one may have its id from now on, and be given what was on its way to this one."""
        self._began.pop(workflow_id, None)
        self._carried_out = {request: run for request, run in self._carried_out.items() if run != workflow_id}

    def _note_applied(self, process: Process, save: Save, before: Rows | None) -> None:
        known = {note[0] for note in before.workflow.unconfirmed} if before is not None else set()
        for note in save.workflow.unconfirmed:
            if note[0] not in known:
                self._applied[save.workflow.id, note[0]] = _Applied(process.name, self._commits, self._count)

    def _check_results(self, rows: Rows, before: Rows | None) -> None:
        """A worker's task ends as a worker has said, and only once."""
        world = self._world
        known = {} if before is None else {task.seq: task for task in before.tasks}
        for task in rows.tasks:
            was = known.get(task.seq)
            begun, told = task.times_begun, world.workers.begun[task.id]
            expect(begun <= told, Rule.I2, f"{task.id} counts as begun {begun} times, and {told} were told of")
            if task is was or not task.queue or (was is not None and was.status.is_terminal):
                continue
            said = world.workers.said.get(task.id, set())
            if task.status is TaskStatus.COMPLETED:
                expect("SUCCESS" in said, Rule.I7, f"{task.id} is COMPLETED and no worker has said so")
            failed = task.status in (TaskStatus.FAILED, TaskStatus.FAILED_WITH_TERMINAL_ERROR)
            if failed and task.id not in world.refused:
                what = f"{task.id} is {task.status} and no worker has said so: {task.reason}"
                expect("FAILURE" in said, Rule.I7, what)

    def _check_limits(self) -> None:
        """Of a limited name, no more tasks are out than may be."""
        tasks = (task for rows in self._world.every_run() for task in rows.tasks if task.status.is_open)
        out = [task for task in tasks if task.dispatched or task.slot is Slot.HELD]
        for name, most in LIMITS.items():
            held = [task.id for task in out if task.name == name]
            expect(len(held) <= most, Rule.LIMITS, f"of {name}, {held} are out at a time, and not {most}")

    def _check_once(self, line: LoggedRequest) -> None:
        """No request is carried out twice, unless a message without the broker's mark has come twice."""
        identity = line.request.event_id
        if identity in self._world.client.every_request and identity not in self._world.doubled:
            expect(identity not in self._carried_out, Rule.I2, f"{identity} was carried out twice")
            self._carried_out[identity] = line.request.workflow_id

    def _check_done(self, line: LoggedRequest) -> None:
        """What was granted last has happened."""
        rows, request = self._world.rows(line.request.workflow_id), line.request
        if not line.outcome.granted:
            return
        self.granted.add(request.verb)
        if rows is None:
            expect(self._world.is_removed(request.workflow_id), Rule.OPERATOR, f"{request.workflow_id} has gone")
            return
        what = f"{request.verb} of {request.workflow_id} was granted, and it is {rows.workflow.status}"
        expect(has_happened(line, rows), Rule.OPERATOR, what)

    def _restored(self, rows: Rows) -> Execution:
        return restore(rows.workflow, rows.tasks, self._world.store._tables.snapshots[rows.workflow.definition_hash])

    # at a confirm

    def confirmed(self, names: Sequence[str], sent: Sequence[Message]) -> None:
        """Take note of what the broker has taken."""
        self._count += 1
        for name in names:
            self.confirms[name] = self._count
            self.first_confirms.setdefault(name, self._count)
        for name, message in zip(names, sent, strict=True):
            self._world.note(f"sent {name}")
            if name.startswith("dead:"):
                self.dead_letters[str(message.message_id)] = str(message.headers.get("reason"))

    # at an ack

    def acked(self, process: Process, deliveries: Sequence[Delivery]) -> None:
        """Everything that the acked events have led to is stored and confirmed; nothing is left to apply."""
        for delivery in deliveries:
            self._world.note(f"{process.name} acks {name_of(delivery.message)}")
            if delivery.message.queue == NEARER_KEY:
                # It is no fact about a run, and may be lost.
                continue
            try:
                said = decode(delivery, lambda: "nobody")
            except BadMessage:
                found = f"dead:{delivery.message.message_id}" in self.confirms
                expect(found, Rule.I5, "an unreadable message was dropped")
                continue
            self._world.accountant.acked(said)
            rows = self._world.rows(said.workflow_id)
            if rows is None:
                self._check_no_run(said)
                continue
            self._check_sent(process, rows, said)
            if isinstance(said, Request):
                logged = said.event_id in self._logged(rows) or not is_logged(said.verb)
                # Whoever looked before the run was stored has answered that there is none.
                unknown = self._began.get(said.workflow_id, 0) > self._looked.get(process.name, 0)
                expect(logged or unknown, Rule.I1, f"{said.verb} was acked and is in no audit trail")
            elif isinstance(said, ChildStarted | ChildEnded) or (isinstance(said, TaskResult) and _is_end(said)):
                self._check_applied(rows, said)
        service = self.services.get(process.name)
        if service is not None:
            self._check_memory(service)

    def _check_no_run(self, said: Event | StartWorkflow) -> None:
        """A start may be refused where its parent, or who reads the dead letters, is told."""
        known = isinstance(said, StartWorkflow) and said.name in self._world.definitions
        if known and not self._world.is_removed(said.workflow_id):
            expect(False, Rule.I1, f"the start of {said.workflow_id} was acked and is lost")

    def _check_sent(self, process: Process, rows: Rows, said: Event | StartWorkflow) -> None:
        """What an applied event has commanded has been sent since, unless it is out of date by now.

        What somebody else has stored since the process looked is for that one to send: it has the event in hand, too.
        """
        applied = self._applied.get((rows.workflow.id, said.event_id))
        own = [note for note in rows.workflow.unconfirmed if note[0] == said.event_id]
        commands = recall(own, said.event_id)
        if applied is None or not commands:
            return
        if applied.by != process.name and applied.commit > self._looked.get(process.name, 0):
            return
        run = self._restored(rows)
        # What another event has commanded once more since may have become another message: it is that event's to send.
        later = _commands_since(rows, own[-1])
        for command in [each for each in commands if each not in later]:
            for message in messages(run, command, PARTITIONS):
                name = name_of(message)
                sent = self._sent_since(applied.at, name, command)
                expect(sent, Rule.I1, f"{said.event_id} was acked before {name} was sent")

    def _sent_since(self, at: int, name: str, command: Command) -> bool:
        """A cancellation is named for the end of its task; a task that was reopened since may have ended once more."""
        task, is_of_child, _ = name.partition("/cancel/")
        if not isinstance(command, Cancel) or not is_of_child:
            return self.confirms.get(name, -1) > at
        found = [known for known in self.confirms if known.startswith(f"{task}/cancel/")]
        return any(self.confirms[known] > at for known in found)

    def _check_applied(self, rows: Rows, said: Event) -> None:
        if rows.workflow.wake_at != NEVER and rows.workflow.wake_at <= self._world.latest:
            # The flow was stopped on its way by the step budget, or goes on anyway.
            return
        reopened = isinstance(said, ChildEnded) and was_taken_up(rows)
        if reopened or recall(rows.workflow.unconfirmed, said.event_id) is not None:
            # It was applied, or came too late; a retry may have reopened its task since, which asks the child again.
            return
        run = self._restored(rows)
        plan = run.plans.get(said.seq)
        if isinstance(said, TaskResult) and (plan is None or plan.step.async_complete):
            # An operator has taken it out of the flow, or it stays open for somebody else to end.
            return
        run.fresh = False
        again = decide(
            run, [said], self._world.clock.now(), Surroundings(task_defs=self._world.store._tables.task_defs)
        )
        holds = again.is_empty and not again.commands.get(said.event_id)
        late = rows.workflow.status.is_terminal or isinstance(said, ChildStarted)
        expect(holds or late, Rule.I1, f"{said.event_id} of {said.workflow_id} was acked and is not applied")

    def _logged(self, rows: Rows) -> set[str]:
        with self._world.store.transaction() as transaction:
            return {line.request.event_id for line in transaction.requests(rows.workflow.id)}

    def _check_memory(self, service: RoadService) -> None:
        """What a decider has in memory of a run is what the rows say, where it is of the same version."""
        executor = service.executor
        if executor is None:
            return
        expect(not executor.counts.given_up or bool(self._world.poisoned), Rule.I6, "a run was given up")
        for workflow_id, resident in executor._residents._runs.items():
            rows = self._world.rows(workflow_id)
            run = resident.run
            if rows is None or run.workflow.version_no != rows.workflow.version_no:
                continue
            expect(run.workflow == rows.workflow, Rule.MEMORY, f"{workflow_id} in memory is not what is stored")
            if run.workflow.status.is_terminal:
                continue
            inside, outside = derived(run), derived(self._restored(rows))
            for name in DERIVED:
                if inside[name] != outside[name]:
                    what = f"{name} of {workflow_id} in memory differ from the rows': {inside[name]} / {outside[name]}"
                    raise Violated(Rule.MEMORY, what)

    def died(self, name: str) -> None:
        """Take in what a process has counted that is no more."""
        service = self.services.pop(name, None)
        if service is not None and service.executor is not None:
            self.recalled += service.executor.counts.recalled
            self.conflicts += service.executor.counts.conflicts


def _commands_since(rows: Rows, note: Any) -> list[Command]:
    """Return what has been commanded by the events that a run remembers after this one."""
    notes = list(rows.workflow.unconfirmed)
    since = notes[notes.index(note) + 1 :]
    return [command for each in since for command in recall([each], each[0]) or ()]


def _is_end(said: TaskResult) -> bool:
    return said.status is not TaskStatus.IN_PROGRESS
