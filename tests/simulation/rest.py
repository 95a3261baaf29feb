"""What must hold between the steps of a story and at its end: something moves every run, and nothing is left over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.broker.memory import MemoryConnection
from engine.model.execution import NEVER, Task
from engine.model.limit import terms_of
from engine.model.status import Slot, TaskStatus, WorkflowStatus
from engine.store.port import Rows
from engine.wire.message import events_queue
from tests.simulation.message_names import name_of
from tests.simulation.past import was_taken_up
from tests.simulation.rules import Rule, expect
from tests.simulation.scenario import DECIDERS, PARTITIONS

if TYPE_CHECKING:
    from tests.simulation.world import World


class Rest:
    """Looks at all runs, when nobody is in the middle of something."""

    def __init__(self, world: World) -> None:
        self._world = world

    def something_moves_every_run(self) -> None:
        """A RUNNING run has a date, or something about it is on its way, or somebody outside is waited for."""
        flying: dict[str, list[str]] | None = None
        for rows in self._world.every_run():
            if rows.workflow.status is not WorkflowStatus.RUNNING:
                continue
            flying = self._world.in_flight() if flying is None else flying
            near = flying.get(rows.workflow.id, [])
            if self._world.wiped or any(name.startswith("baton.") for name in near):
                continue
            if rows.workflow.wake_at == NEVER:
                # Whoever waits for a slot is moved by the end of another run.
                moves = rows.workflow.slot is Slot.WAITING or any(map(self._moves, _open(rows)))
                expect(moves, Rule.I4, f"{rows.workflow.id} is RUNNING and nothing moves it")
            for task in _open(rows):
                # Whoever asks a child that does not exist is told so.
                known = task.child_id in flying or self._is_somewhere(task)
                expect(known, Rule.I4, f"{task.id} ({task.ref}) was handed out and is nowhere")

    def no_slot_lies_idle(self) -> None:
        """Every grant has been heard of, and whoever waits does so for a date, or for one of those that are out."""
        tables = self._world.store._tables
        held = Counter(slot.task.limit for slot in tables.slots.values() if slot.is_held)
        with self._world.store.transaction() as transaction:
            registered = transaction.task_defs()
        for (run, seq), slot in tables.slots.items():
            if seq < 0 or not (slot.is_held or slot.is_waiting):
                # A place for a whole run, or a start that still counts for the rate.
                continue
            expect(seq in tables.tasks[run], Rule.I4, f"{run}.{seq} is no part of its flow and in the line of a limit")
            task, name = tables.tasks[run][seq], slot.task.limit
            heard = task.slot is Slot.HELD or not slot.is_held
            expect(heard, Rule.I4, f"{task.id} was granted a slot and nobody tells it")
            if slot.is_waiting and tables.limits[name] == NEVER:
                most = terms_of(registered[name]).at_once
                full = most is not None and held[name] >= most
                expect(full, Rule.I4, f"{task.id} waits, no date is set, and only {held[name]} of {name} are out")

    def _moves(self, task: Task) -> bool:
        completed_later = task.status is TaskStatus.IN_PROGRESS and task.dispatched
        return (
            task.type in ("HUMAN", "WAIT", "WAIT_FOR_WEBHOOK", "PULL_WORKFLOW_MESSAGES", "YIELD")
            or bool(task.child_id)
            or bool(task.queue)
            or completed_later
        )

    def _is_somewhere(self, task: Task) -> bool:
        world = self._world
        if not task.dispatched:
            return task.visible_at >= NEVER
        if task.child_id:
            there = (
                world.rows(task.child_id) is not None
                or world.is_removed(task.child_id)
                or f"start:{task.child_id}" in self._unsent()
            )
            return there or task.child_id in world.refused or not task.input.get("subWorkflowName")
        if not task.queue or task.id in world.workers.hung or task.id in world.refused:
            return True
        return any(job.task_id == task.id for job in world.workers.jobs) or task.id in self._unsent()

    def _unsent(self) -> set[str]:
        """Return the names of what waits in any queue or is unacked: task ids, and starts by their name."""
        names = {name_of(message) for message in self._world.every_message()}
        return names | {name.removeprefix("task:") for name in names}

    def shares_are_consumed(self) -> bool:
        """Return whether every decider takes from the partitions that it holds, and from no others."""
        if any(happening[0] == "both_own" for happening in self._world.scenario.happenings):
            return True
        return all(
            _consumed(process.connection) == set(map(events_queue, self._world.invariants.services[name]._owned))
            for name, process in self._world.processes.items()
            if name in DECIDERS and name in self._world.invariants.services
        )

    def at_the_end(self) -> None:
        """Everybody was answered, everybody told, and everything closed."""
        world = self._world
        for name in list(world.invariants.services):
            world.invariants.died(name)
        unanswered = world.client.asked - world.client.answered
        expect(not unanswered, Rule.I1, f"nobody has answered {sorted(unanswered)}")
        for rows in world.every_run():
            self._check_ended(rows)
            self._check_history(rows)
        if world.calendar is not None:
            world.calendar.at_the_end()
        if not world.wiped:
            lost = [name for name in world.faults.garbage if name not in world.invariants.dead_letters]
            expect(not lost, Rule.I5, f"unreadable messages are not among the dead letters: {lost}")

    def _check_ended(self, rows: Rows) -> None:
        """What an ended run owes to others has been sent."""
        workflow, wiped, confirms = rows.workflow, self._world.wiped, self._world.invariants.confirms
        expect(not _open(rows), Rule.I8, f"{workflow.id} has ended with open tasks")
        for status in () if wiped else ("RUNNING", workflow.status):
            told = f"status:{workflow.id}:{status}" in confirms
            expect(told, Rule.I1, f"nobody was told that {workflow.id} is {status}")
        if workflow.failure_workflow_id and not wiped:
            failure = workflow.failure_workflow_id
            there = self._world.rows(failure) is not None or self._world.is_removed(failure)
            expect(there, Rule.I1, f"{workflow.id}: its failure workflow was never started")
        for task in rows.tasks:
            given_up = task.status in (TaskStatus.CANCELED, TaskStatus.TIMED_OUT) and task.dispatched and not wiped
            if given_up and task.type == "SUB_WORKFLOW" and task.child_id and not self._child_ended_so(task):
                asked = any(name.startswith(f"request:{task.id}/cancel") for name in confirms)
                expect(asked, Rule.I8, f"the child of {task.id} was left running")
                self._check_unwanted(task)
            elif given_up and task.queue:
                expect(f"revoke:{task.id}" in confirms, Rule.I8, f"{task.id} was not revoked")

    def _check_history(self, rows: Rows) -> None:
        """Every task that there ever was is part of the flow, or of a round before, or was to be forgotten."""
        with self._world.store.transaction() as transaction:
            rounds = transaction.earlier_rounds(rows.workflow.id)
        found = sorted(task.seq for tasks in (rows.tasks, *(each.tasks for each in rounds)) for task in tasks)
        gone = set(range(1, rows.workflow.last_seq + 1)) - set(found)
        known = len(set(found)) == len(found) and gone <= self._world.invariants.forgotten[rows.workflow.id]
        expect(known, Rule.OPERATOR, f"of the {rows.workflow.last_seq} tasks of {rows.workflow.id}, {found} are left")

    def _check_unwanted(self, task: Task) -> None:
        """A child that began only after nobody wanted it was asked to end once it was there."""
        world = self._world
        rows, confirms = world.rows(str(task.child_id)), world.invariants.confirms
        if rows is None or rows.workflow.created_at < task.ended_at or self._child_ended_so(task):
            return
        begun = world.invariants.first_confirms.get(f"status:{task.child_id}:RUNNING", 0)
        asked = max((at for name, at in confirms.items() if name.startswith(f"request:{task.id}/cancel")), default=0)
        expect(asked > begun, Rule.I8, f"the child of {task.id} began when nobody wanted it, and was left running")

    def _child_ended_so(self, task: Task) -> bool:
        rows = self._world.rows(str(task.child_id))
        ended = (WorkflowStatus.TERMINATED, WorkflowStatus.TIMED_OUT)
        # An operator may have retried the child of a parent that had ended as the child did.
        return rows is None or rows.workflow.status in ended or was_taken_up(rows)


def _consumed(connection: MemoryConnection) -> set[str]:
    return {name for name in map(events_queue, range(PARTITIONS)) if name in connection._prefetch}


def _open(rows: Rows) -> list[Task]:
    return [task for task in rows.tasks if task.status.is_open]
