"""What goes wrong, and when: carries the happenings of a story out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.clock import after
from engine.model.definition import walk
from engine.model.status import WorkflowStatus
from engine.store.port import Rows
from engine.wire.message import START_QUEUE, Message, events_queue
from tests.simulation.answers import PERSON
from tests.simulation.scenario import PARTITIONS, STORE_POINTS, Happening, Scenario
from tests.simulation.workflows import QUEUES

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World

#: Messages that nobody can read; each must end among the dead letters with its reason.
_GARBAGE = (
    (b"\x80\x04\x95 no json", {}),
    (b'{"task_id": "nobody\'s", "status": "SUCCESS"}', {}),
    (b'{"request": 7}', {"baton": "request"}),
    (b"[1, 2, 3]", {"baton": "start"}),
    (b"{}", {"baton": "no such kind"}),
)


class Faults:
    """Waits for the steps and the points at which something happens."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._due: dict[int, list[Happening]] = {}
        self._armed: dict[tuple[str, str], tuple[str, bool]] = {}
        #: What waits for a process that has stored something of a kind: fault, kind, point, whether it is held back.
        self._wanted: list[tuple[str, str, str, bool]] = []
        for happening in scenario.happenings:
            if happening[0] != "worker":
                self._due.setdefault(happening[1], []).append(happening)
        self.last_step = max(self._due, default=0)
        #: Where the timekeeper dies as soon as it sees that the disk was wiped: before everything is sent again.
        self._at_rescue: list[str] = []
        self.requeue_late = False
        self.garbage: list[str] = []

    def at(self, process: Process, point: str) -> str | None:
        """Return what happens to a process at this point, once."""
        kind, late = self._armed.pop((process.name, point), (None, False))
        self.requeue_late = late
        if kind is None and any(point == each[2] for each in self._wanted):
            return self._wanted_at(process, point)
        return kind

    def _wanted_at(self, process: Process, point: str) -> str | None:
        in_hand = self._world.accountant.kinds_in_hand(process)
        for wanted in self._wanted:
            fault, kind, where, self.requeue_late = wanted
            if where == point and kind in in_hand:
                self._wanted.remove(wanted)
                return fault
        self.requeue_late = False
        return None

    def calm(self) -> None:
        """Let nothing happen any more."""
        self._armed.clear()
        self._wanted.clear()
        self._at_rescue.clear()
        self._world.trouble.calm()
        self._due.clear()

    def happen(self, step: int) -> None:
        """Let happen what is due at this step."""
        for happening in self._due.pop(step, ()):
            kind, _, *arguments = happening
            self._world.note(f"-- {happening}")
            getattr(self, f"_{kind}")(*arguments)

    # to a process

    def _crash(self, process: str, point: str, late: bool) -> None:
        self._armed[process, point] = ("crash", late)

    def _crash_after(self, kind: str, point: str, late: bool) -> None:
        self._wanted.append(("crash", kind, point, late))

    def _cut_after(self, kind: str, point: str, late: bool) -> None:
        self._wanted.append(("cut", kind, point, late))

    def _crash_rescue(self, _: int, point: str) -> None:
        self._at_rescue.append(point)

    def loss_is_noticed(self) -> None:
        """Take note that the rescuer has seen that the broker has lost what it held."""
        for point in self._at_rescue:
            self._armed["timekeeper", point] = ("crash", False)
        self._at_rescue.clear()

    def _cut(self, process: str, point: str) -> None:
        self._armed[process, point] = ("cut", False)

    def _cut_long(self, process: str, point: str) -> None:
        self._armed[process, point] = ("cut long", False)

    def _store(self, process: str, point: str) -> None:
        assert point in STORE_POINTS
        self._armed[process, point] = ("store", False)

    def _zombie(self, process: str) -> None:
        """The broker gives a process up that goes on: what it holds is given to somebody else."""
        self._world.trouble.break_connection(self._world.processes.get(process))

    def _stall(self, process: str, seconds: int) -> None:
        if process in self._world.processes:
            self._world.processes[process].stalled_until = after(self._world.clock.now(), seconds)

    def _lease_lost(self, process: str) -> None:
        tables, owner = self._world.store._tables, self._world.owner(process)
        tables.living.pop(owner, None)
        for number in [number for number, holder in tables.leases.items() if holder == owner]:
            del tables.leases[number]

    # to the broker

    def _cut_all(self, _: int) -> None:
        self._world.trouble.disconnect()

    def _wipe(self, _: int) -> None:
        self._world.trouble.wipe()

    def _wipe_with(self, kind: str) -> None:
        self._world.trouble.lost_with_the_disk.append(kind)

    def _duplicate(self, number: int) -> None:
        self._world.trouble.duplicate(number)

    def _lose_wakes(self, number: int) -> None:
        self._world.trouble.wakes_to_lose += 1 + number % 3

    def _late_starts(self, number: int) -> None:
        self._world.trouble.starts_to_hold += 1 + number % 3

    def _unwanted(self, _: int) -> None:
        """A child is still in the line when its parent is ended, and with it whoever wanted the child."""
        self._world.trouble.starts_to_hold += 1
        self._world.trouble.unwanted += 1

    def _purge(self, number: int) -> None:
        self._world.trouble.purge(QUEUES[number % len(QUEUES)])

    def _reorder(self, number: int) -> None:
        self._world.trouble.reorder(number)

    def _both_own(self, partition: int) -> None:
        """The broker hands one partition's messages to both deciders in turn."""
        self._world.trouble.share(partition)

    def _garbage(self, number: int) -> None:
        body, headers = _GARBAGE[number % len(_GARBAGE)]
        queue = (START_QUEUE, events_queue(number % PARTITIONS))[number % 2]
        name = f"garbage {number}"
        self.garbage.append(name)
        self._world.client.publish(Message(queue=queue, body=body, headers=headers, message_id=name))

    # to the clock

    def _jump(self, seconds: int) -> None:
        self._world.clock.advance(seconds)

    def _leap(self, seconds: int) -> None:
        """The clock leaps, also by more than the ten minutes for which the road remembers what a process has left."""
        self._world.everything_changed()
        self._world.clock.advance(seconds)

    def _back(self, seconds: int) -> None:
        """The clock was ahead and is set right."""
        self._world.clock.advance(-seconds)

    # to the engine itself

    def _bug(self, number: int) -> None:
        """From now on, deciding upon this run raises an error."""
        runs = self._world.every_run()
        if runs:
            chosen = runs[number % len(runs)].workflow.id
            self._world.changed_by_chance(chosen)
            self._world.poisoned.add(chosen)

    # by people

    def _start_again(self, number: int) -> None:
        begun = self._world.begun
        if begun:
            self._world.client.start(begun[number % len(begun)])

    def _start_once(self, number: int) -> None:
        """Somebody wants a run only if it does not go on already."""
        begun = self._world.begun
        if begun:
            self._world.client.start_once(begun[number % len(begun)])

    def _pause(self, number: int) -> None:
        self._ask(number, "pause", changes=False)

    def _resume(self, number: int) -> None:
        self._ask(number, "resume", changes=False)

    def _terminate(self, number: int) -> None:
        self._ask(number, "terminate", changes=True, reason="enough")

    def _retry(self, number: int) -> None:
        resume = bool(number % 2)
        self._ask(number, "retry", changes=True, among=self._ended(), resumeSubworkflowTasks=resume)

    def _retry_child(self, number: int) -> None:
        """Somebody lets a child that has failed go on, and so all that waited for it."""
        children = [rows for rows in self._ended() if rows.workflow.parent_id]
        self._ask(number, "retry", changes=True, among=children)

    def _restart(self, number: int) -> None:
        """Somebody has a run that has ended begin anew."""
        latest = bool(number % 2)
        self._ask(number, "restart", changes=True, among=self._ended(), useLatestDefinitions=latest)

    def _rerun(self, number: int) -> None:
        """Somebody has a run that has ended done over: whole, from one of its tasks, or from one of a run below it."""
        ended = self._ended()
        if not ended:
            return
        rows = ended[number % len(ended)]
        below = [self._world.rows(task.child_id) for task in rows.tasks if task.child_id]
        tasks = [task.id for each in (rows, *below) if each is not None for task in each.tasks]
        chosen = [None, *tasks][number % (len(tasks) + 1)]
        self._ask(0, "rerun", changes=True, among=[rows], reRunFromTaskId=chosen)

    def _rerun_child(self, number: int) -> None:
        """Somebody has the first run that can be, done over from a task of a run below it."""
        for rows in self._ended():
            children = [found for task in rows.tasks if task.child_id and (found := self._world.rows(task.child_id))]
            tasks = [task.id for child in children for task in child.tasks]
            if tasks:
                self._ask(0, "rerun", changes=True, among=[rows], reRunFromTaskId=tasks[number % len(tasks)])
                return

    def _remove(self, number: int) -> None:
        """Somebody has the rows of a run that has ended deleted."""
        self._ask(number, "remove", changes=True, among=self._ended(), archiveWorkflow=bool(number % 2))

    def _skip(self, number: int) -> None:
        """Somebody wants a step passed over that the flow has not come to."""
        self._ask_about_a_step(number, "skip_task", taskOutput={"n": number})

    def _go_to(self, number: int) -> None:
        """Somebody has the flow of a run go on at another step."""
        self._ask_about_a_step(number, "jump")

    def _upgrade(self, number: int) -> None:
        """Somebody has an open run go by the latest version of its definition."""
        running = [rows for rows in self._world.every_run() if rows.workflow.status.is_open]
        for rows in running:
            self._world.register_again(rows.workflow.name)
        self._ask(number, "upgrade", changes=True, among=running)

    def _ask_about_a_step(self, number: int, verb: str, **arguments: Any) -> None:
        runs = [rows for rows in self._world.every_run() if rows.workflow.status is WorkflowStatus.RUNNING]
        if not runs:
            return
        rows = runs[number % len(runs)]
        definition = self._world.store._tables.snapshots[rows.workflow.definition_hash]
        steps = [step.task_reference_name for _, step in walk(definition.tasks)]
        self._ask(0, verb, changes=True, among=[rows], ref=steps[number % len(steps)], **arguments)

    def _decide(self, number: int) -> None:
        """Somebody wants a run looked at afresh, which changes nothing about it."""
        self._ask(number, "decide", changes=False)

    def _reset(self, number: int) -> None:
        self._ask(number, "reset_callbacks", changes=False)

    def _variables(self, number: int) -> None:
        self._ask(number, "update_variables", changes=True, variables={"told": number})

    def _message(self, number: int) -> None:
        """Somebody sends a run what a task of it may be waiting for, or will."""
        self._ask(number, "send_message", changes=False, payload=PERSON)

    def _signal(self, number: int) -> None:
        self._ask(number, "signal", changes=True)

    def _update(self, number: int) -> None:
        """Somebody says something about a task that is open, or about one that has ended."""
        tasks = [task for rows in self._world.every_run() for task in rows.tasks if task.queue]
        if tasks:
            task = tasks[number % len(tasks)]
            self._world.changed_by_chance(task.workflow_id)
            status = ("COMPLETED", "FAILED", "IN_PROGRESS")[number % 3]
            self._world.client.report(task, status, output={"n": number}, callbackAfterSeconds=number % 2 * 7)

    def _ended(self) -> list[Rows]:
        return [rows for rows in self._world.every_run() if rows.workflow.status.is_terminal]

    def _ask(self, number: int, verb: str, *, changes: bool, among: list[Rows] | None = None, **arguments: Any) -> None:
        runs = self._world.every_run() if among is None else among
        if not runs:
            return
        chosen = runs[number % len(runs)].workflow.id
        if changes:
            self._world.changed_by_chance(chosen)
        self._world.client.ask(chosen, verb, **arguments)
