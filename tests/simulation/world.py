"""The world of one story: the engine's processes, everybody outside, a clock, and who is to go on next."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import engine.executor
import engine.round
import engine.services.decider
from engine.broker.memory import MemoryBroker
from engine.clock import Instant, after
from engine.config import Settings
from engine.decider.decide import Decision
from engine.decider.execution import Execution
from engine.decider.validate import check_task, check_workflow
from engine.model.execution import NEVER, Task
from engine.model.schedule import OverlapPolicy
from engine.model.status import WorkflowStatus
from engine.services.decider import RoadService
from engine.services.timekeeper import Timekeeper
from engine.store.port import Rows, WorkflowQuery
from engine.testing.clock import FixedClock
from engine.testing.memory_store import MemoryStore
from engine.wire.message import Delivery, Message
from tests.simulation.account import Accountant
from tests.simulation.broker_faults import BrokerFaults
from tests.simulation.calendar import Calendar
from tests.simulation.faults import Faults
from tests.simulation.invariants import Invariants
from tests.simulation.message_names import about
from tests.simulation.past import task_of
from tests.simulation.people import Client, Workers
from tests.simulation.processes import Crashed, Process, SimulatedStop
from tests.simulation.rest import Rest
from tests.simulation.rules import Rule, Violated, expect
from tests.simulation.scenario import PARTITIONS, Root, Scenario
from tests.simulation.servers import SimulatedBroker, SimulatedStore
from tests.simulation.workflows import TASK_DEFS, Step, Writer

#: Steps after which a story that has not come to its end never will.
_MOST_STEPS = 30_000
#: Empty looks around before time makes a leap to the next date.
_PATIENCE = 5
#: How long partitions may take to be shared out, after everything else has come to its end.
_SETTLING_SECONDS = 120
#: How long a step takes.
_STEP_SECONDS = 0.000_01


class World:
    """Runs one scenario; ``run`` raises ``Violated`` when something happens that must never happen."""

    def __init__(self, scenario: Scenario, *, trace: bool = False) -> None:
        self.scenario = scenario
        self.clock = FixedClock()
        self.store = MemoryStore()
        self.hub = MemoryBroker()
        self.trace: list[str] | None = [] if trace else None
        self.step = 0
        self.wiped = False
        #: The latest moment that any clock has shown.
        self.latest = self.clock.now()
        #: Runs upon which nobody can decide, tasks and starts that the broker refuses, requests that came twice.
        self.poisoned: set[str] = set()
        self.refused: set[str] = set()
        self.doubled: set[str] = set()
        self.definitions: dict[str, Step] = {}
        self.invariants = Invariants(self)
        self.rest = Rest(self)
        self.accountant = Accountant(self)
        self.trouble = BrokerFaults(self)
        self.faults = Faults(self, scenario)
        self.worker_behaviours = {each[1]: each[2] for each in scenario.happenings if each[0] == "worker"}
        self.begun: list[Root] = []
        self._changed = {root.name for root in scenario.roots if root.is_timed()}
        self._all_changed = False
        self._choices = 0
        self._idle = 0
        self._over_at = Instant(0)
        self._generation = 0
        self.settings = Settings(
            partitions=PARTITIONS,
            script_time_limit_ms=10_000,
            prefetch=1_000,
            # Processes die by chance here, again and again: no message is to blame for it.
            crash_limit=1_000_000,
            # Stories are short.
            forget_after_tasks=1,
            **scenario.settings,
        )
        self._register()
        self.processes: dict[str, Process] = {}
        self._owners: dict[str, str] = {}
        names = ["decider-1", "decider-2", "timekeeper"] + (["starter"] if scenario.starter else [])
        for name in names:
            self._begin(name)
        self.workers = Workers(self)
        self.client = Client(self)
        self.calendar = Calendar(self, OverlapPolicy(scenario.schedule)) if scenario.schedule else None

    def _register(self) -> None:
        with self.store.transaction() as transaction:
            transaction.register_tasks([check_task(dict(each)) for each in TASK_DEFS])
            for root in self.scenario.roots:
                writer = Writer(root.name[0])
                whole = writer.workflow(root.name, root.shapes, root.end, root.failure, root.timeout)
                for document in (whole, *writer.definitions):
                    self.definitions[document["name"]] = document
                    transaction.register_workflow(check_workflow(document), overwrite=True)

    def register_again(self, name: str) -> None:
        """Register a version after the latest of a workflow, which does the same."""
        with self.store.transaction() as transaction:
            latest = transaction.workflow_def(name, None)
            if latest is not None and name in self.definitions:
                again = {**self.definitions[name], "version": latest.version + 1}
                transaction.register_workflow(check_workflow(again), overwrite=True)

    # processes

    def _begin(self, name: str) -> None:
        self._generation += 1
        self._owners[name] = f"{name}.{self._generation}"
        self.processes[name] = Process(name, self, self._timekeeper if name == "timekeeper" else self._road)

    def owner(self, process: str) -> str:
        return self._owners.get(process, process)

    def _road(self, process: Process) -> None:
        starter = process.name == "starter"
        store, broker, stop = SimulatedStore(process), SimulatedBroker(process), SimulatedStop(process)
        service = RoadService(store, broker, self.settings, stop, clock=self.clock, starter=starter)  # type: ignore[arg-type]
        service._owner = self._owners[process.name]
        self.invariants.services[process.name] = service
        service.run()

    def _timekeeper(self, process: Process) -> None:
        store, broker, stop = SimulatedStore(process), SimulatedBroker(process), SimulatedStop(process)
        Timekeeper(store, broker, self.settings, stop, clock=self.clock).run()  # type: ignore[arg-type]

    def _run(self, process: Process) -> None:
        try:
            process.run()
        except Crashed:
            self._bury(process)
            return
        if process.dead:
            raise Violated(Rule.END, f"{process.name} has ended by itself")

    def crashed_at(self, process: Process, point: str) -> None:
        """Take note of a death, and of what it has kept from being sent."""
        self.accountant.crashed(process, point)
        self._make_news(process)

    def cut_at(self, process: Process) -> None:
        """Cut a process's line, and let what it held come back late where the story wants it so."""
        self.accountant.interrupted(process)
        self._make_news(process)
        self.trouble.break_connection(process, late=self.faults.requeue_late)

    def _make_news(self, process: Process) -> None:
        """What is held back is to come after newer news, so here is some, which changes nothing."""
        for workflow_id in self.accountant.runs_in_hand(process) if self.faults.requeue_late else ():
            self.client.ask(workflow_id, "signal", ref="nobody")

    def _bury(self, process: Process) -> None:
        self.note(f"{process.name} has died")
        self.invariants.died(process.name)
        late = self.faults.requeue_late
        self.trouble.break_connection(process, late=late)
        process.kill()
        self._begin(process.name)

    # chance

    def choose(self, number: int) -> int:
        """Return a number below ``number`` that follows from the seed and the step alone."""
        self._choices += 1
        mixed = (self.scenario.seed * 0x9E3779B97F4A7C15 + self.step * 0xBF58476D1CE4E5B9 + self._choices) & (2**64 - 1)
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        return (mixed ^ (mixed >> 31)) % number

    # the story

    def run(self) -> None:
        """Tell the whole story, to its end."""
        with self._watching():
            while self.step < _MOST_STEPS:
                if self._happen():
                    return
            raise Violated(Rule.END, f"the story does not come to its end: {self._open_runs()}")

    @contextmanager
    def _watching(self) -> Iterator[None]:
        log, decide = engine.executor.log, engine.round.decide

        def poisoned(run: Execution, *arguments: Any) -> Decision:
            if run.workflow.id in self.poisoned:
                raise ZeroDivisionError("the story has put a fault into the decider")
            return decide(run, *arguments)

        engine.executor.log = self.invariants.executor_log  # type: ignore[assignment]
        engine.round.decide = poisoned
        try:
            yield
        finally:
            engine.executor.log, engine.round.decide = log, decide
            for process in self.processes.values():
                process.kill()

    def _happen(self) -> bool:
        """Take one step; True when the story has come to its end."""
        self.step += 1
        # Nothing takes no time: a run that ends, goes on and ends again has not ended twice at one moment.
        self.clock.advance(_STEP_SECONDS)
        self._choices = 0
        for root in self.scenario.roots:
            if root.start == self.step:
                self.begun.append(root)
                self.client.start(root)
        self.faults.happen(self.step)
        self.latest = max(self.latest, self.clock.now())
        self.trouble.let_go()
        runnable = [process for process in self.processes.values() if process.runnable()]
        outside = self.workers.ready()
        if not runnable and not outside:
            self.trouble.let_go(everything=True)
            return self._rest()
        number = self.choose(len(runnable) + outside)
        if number == len(runnable):
            self._idle = 0
            self.workers.turn()
        else:
            self._run(runnable[number])
        if self.step % 16 == 0:
            self.client.look(calm=self._calm())
            self.rest.something_moves_every_run()
        return False

    def _calm(self) -> bool:
        return self.step > self.faults.last_step and len(self.begun) == len(self.scenario.roots)

    def _rest(self) -> bool:
        """Nobody has anything to do now: let time pass, at first step by step and then to the next date."""
        calm = self._calm()
        if calm:
            self.faults.calm()
        self.client.look(calm=calm)
        self.rest.something_moves_every_run()
        waiting = self._engine_messages()
        if not (self.wiped or waiting or self._stalled()):
            self.rest.no_slot_lies_idle()
        if calm and not waiting and not self._open_runs() and not self.missing_roots():
            return self._end()
        self._idle = 0 if waiting else self._idle + 1
        now = self.clock.now()
        near = min(process.wakes_at() for process in self.processes.values())
        worker_date = self.workers.next_date()
        dates = [date for date in (near, worker_date) if date is not None and date > now]
        if self._idle > _PATIENCE and not self._stalled():
            far = self._next_date()
            dates = [date for date in (far, worker_date) if date is not None and date > now] or dates
        self.clock.set(min(dates))
        return False

    def _end(self) -> bool:
        """Look at what is left, once the partitions have been shared out for good."""
        if not self.rest.shares_are_consumed():
            self._over_at = self._over_at or self.clock.now()
            late = self.clock.now() > after(self._over_at, _SETTLING_SECONDS)
            expect(not late, Rule.SHARES, "a decider takes from other partitions than it holds, and does not change it")
            self.clock.advance(1)
            return False
        self.rest.at_the_end()
        return True

    def _stalled(self) -> bool:
        return any(process.stalled_until > self.clock.now() for process in self.processes.values())

    def _next_date(self) -> Instant | None:
        if self.calendar is not None and self.calendar.pending():
            return None
        dates = [
            rows.workflow.wake_at
            for rows in self.every_run()
            if rows.workflow.status.is_open and rows.workflow.wake_at != NEVER
        ]
        later = [date for date in dates if date > self.clock.now()]
        # What is due and not yet answered rings again after its lease: no leap then.
        return min(later) if later and len(later) == len(dates) else None

    # what is there

    def rows(self, workflow_id: str) -> Rows | None:
        with self.store.transaction() as transaction:
            return transaction.load([workflow_id]).get(workflow_id)

    def task(self, workflow_id: str, seq: int) -> Task | None:
        """Return a task, also one that an operator has taken out of its run."""
        with self.store.transaction() as transaction:
            rounds = transaction.earlier_rounds(workflow_id)
        gone = (task for each in rounds for task in each.tasks if task.seq == seq)
        return task_of(self.rows(workflow_id), seq) or next(gone, None)

    def every_run(self) -> list[Rows]:
        """Return all runs in the order of their beginning."""
        with self.store.transaction() as transaction:
            return list(transaction.load([*self.store._tables.workflows]).values())

    def _open_runs(self) -> list[str]:
        pending = [] if self.calendar is None else self.calendar.pending()
        return [rows.workflow.id for rows in self.every_run() if rows.workflow.status.is_open] + pending

    def missing_roots(self) -> list[Root]:
        return [root for root in self.begun if self.rows(root.name) is None and not self.is_removed(root.name)]

    def is_removed(self, workflow_id: str) -> bool:
        """Return whether an operator has had the rows of a run deleted."""
        with self.store.transaction() as transaction:
            return transaction.removed_run(workflow_id) is not None

    def _engine_messages(self) -> int:
        """Return how many messages to the engine wait, or are in its hands."""
        held = sum(len(process.connection._unacked) for process in self.processes.values())
        return held + sum(len(level) for level in self.trouble.engine_queues()) + len(self.trouble.held_back)

    def in_flight(self) -> dict[str, list[str]]:
        """Return for every run the names of the queues in which, or from which, something about it is on its way."""
        found: dict[str, list[str]] = {}
        for there in self._everything():
            identity = about(there.message)
            while identity is not None:
                found.setdefault(identity, []).append(there.queue)
                # What a run's news lead to may be for the run above it.
                rows = self.rows(identity)
                identity = rows.workflow.parent_id if rows is not None else None
        return found

    def every_message(self) -> Iterator[Message]:
        """Yield what waits in any queue, or is in anybody's hands."""
        return (there.message for there in self._everything())

    def _everything(self) -> Iterator[Delivery]:
        entries = [entry for queue in self.hub.queues.values() for entry in queue.entries()]
        entries += [entry for connection in self.hub.connections for entry in connection._unacked]
        for entry in entries:
            yield Delivery(message=entry.message, queue=entry.queue.declared.name)
        yield from (held.delivery for held in self.trouble.held_back)

    # what the outcome may be compared with

    def changed_by_chance(self, workflow_id: str) -> None:
        """From now on the outcome of this run, and of what belongs to it, may be another than without faults."""
        self._changed.add(workflow_id)

    def everything_changed(self) -> None:
        self._all_changed = True

    def unchanged_roots(self) -> list[str]:
        """Return the roots whose outcome no fault may have changed."""
        if self._all_changed:
            return []
        above: dict[str, str] = {}
        for rows in self.every_run():
            above |= {task.child_id: rows.workflow.id for task in rows.tasks if task.child_id}
            if rows.workflow.failure_workflow_id:
                above[rows.workflow.failure_workflow_id] = rows.workflow.id
        touched = set()
        for identity in self._changed:
            while identity in above:
                identity = above[identity]
            touched.add(identity)
        return [root.name for root in self.scenario.roots if root.name not in touched]

    def note(self, what: str) -> None:
        """Write down what happens, where somebody wants to read it."""
        if self.trace is not None:
            seconds = (self.clock.now() - 1_893_456_000_000_000) / 1_000_000
            self.trace.append(f"{self.step:5} {seconds:10.3f}s  {what}")
            if len(self.trace) > 200_000:
                sys.exit("the trace has grown beyond all bounds")

    def runs_by_status(self) -> dict[str, WorkflowStatus]:
        with self.store.transaction() as transaction:
            return {each.id: each.status for each in transaction.find(WorkflowQuery(size=10_000))[1]}
