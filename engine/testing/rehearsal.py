"""Rehearsals: a workflow runs with mocked tasks, without workers and in simulated time, and leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from engine.clock import SECOND, Instant, after
from engine.errors import Refused
from engine.model.definition import WorkflowDef, walk
from engine.model.event import StartWorkflow
from engine.model.execution import NEVER, Task, Workflow
from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus, WorkflowStatus
from engine.store.port import WorkflowQuery
from engine.tasks import task_type, task_types
from engine.tasks.step import Complete
from engine.tasks.system import SystemTask
from engine.testing.clock import START, FixedClock
from engine.testing.definitions import Definition, document_of, with_used
from engine.testing.harness import Harness
from engine.testing.mocks import Answer, Mocks, Script

#: Answers and leaps of time in one rehearsal, and seconds that it may take.
_MOST_TURNS: Final = 20_000
_LONGEST_SECONDS: Final = 20.0

#: Runs of one family that are looked at.
_MOST_RUNS: Final = 5_000


def rehearse(
    definition: Definition,
    given: JsonObject | None = None,
    mocks: Mocks | None = None,
    *,
    definitions: Iterable[Definition] = (),
    now: Instant = START,
) -> Rehearsal:
    """Run a workflow with this input and these mocks, and return what became of it.

        outcome = rehearse(order, {"lines": []}, {"price": {"total": 3}, "payment": [failed("no money"), {"paid": 3}]})
        assert outcome.status == "COMPLETED"

    It goes on until it ends, or until a task has no mock (or none left): then ``stopped`` says which. Retry delays and
    WAITs pass at once; INLINE, LAMBDA and JSON_JQ_TRANSFORM are evaluated unless they are mocked. ``definitions`` are
    those of tasks and of other workflows; what one written with ``engine.dsl`` uses is known. Raises ``BadDefinition``,
    and ``Refused`` when the run cannot begin.
    """
    document = document_of(definition)
    *used, _ = with_used([definition])
    stage = Rehearsal(mocks or {}, now)
    stage.prepare(document, [document_of(each) for each in (*used, *with_used(definitions))])
    return stage.play(
        StartWorkflow(
            event_id="rehearsal",
            workflow_id="rehearsal",
            name=str(document.get("name")),
            version=document.get("version"),
            input=given or {},
        )
    )


class Rehearsal:
    """A run on a stage of its own; once it was played, it tells what became of it."""

    def __init__(self, mocks: Mocks, now: Instant = START) -> None:
        self.harness = Harness(clock=FixedClock(now))
        self.workflow_id = ""
        #: Why it did not go on to its end, None when it did.
        self.stopped: str | None = None
        self._began = now
        self._script = Script(mocks)
        #: Answers that have been taken from the script and are given later, by the task's id.
        self._later: dict[str, tuple[Instant, Answer]] = {}
        #: Tasks of which the engine has said that they are not answered from outside.
        self._unmoved: set[str] = set()
        self._computing = {kind.queue: kind for kind in task_types().values() if isinstance(kind, SystemTask)}

    # before

    def prepare(self, document: Mapping[str, Json], others: Sequence[Mapping[str, Json]]) -> None:
        """Register the workflow and what it uses; sub-workflows that are mocked as a whole need no definition."""
        workflows = [each for each in others if "tasks" in each]
        self.harness.register(*workflows, document, tasks=[each for each in others if "tasks" not in each])
        with self.harness.store.transaction() as tx:
            known = {each.name for each in tx.workflow_defs()}
            children = dict(child for each in tx.workflow_defs() for child in self._mocked_children(each))
        for name in children.keys() - known:
            version = children[name]
            stand_in = {"name": name, "version": version or 1, "tasks": [{"name": "x", "taskReferenceName": "x"}]}
            self.harness.register(stand_in)

    def _mocked_children(self, definition: WorkflowDef) -> Iterator[tuple[str, int | None]]:
        for _, step in walk(definition.tasks):
            child = step.sub_workflow_param
            mocked = step.task_reference_name in self._script
            if child is not None and mocked and child.workflow_definition is None:
                yield child.name, child.version

    def play(self, start: StartWorkflow) -> Rehearsal:
        """Start the run and take it as far as the mocks go."""
        self.workflow_id = start.workflow_id
        outcome = self.harness.begin(start)
        if not outcome.granted:
            raise Refused(outcome.message)
        give_up = time.monotonic() + _LONGEST_SECONDS
        for _ in range(_MOST_TURNS):
            if self._turn():
                return self
            if time.monotonic() > give_up:
                self.stopped = f"it went on for {_LONGEST_SECONDS:g} seconds"
                return self
        self.stopped = f"it went on for {_MOST_TURNS:,} turns"
        return self

    # while it runs

    def _turn(self) -> bool:
        """Answer what can be answered, else let time pass; return True when it is over."""
        if self.run.status.is_terminal:
            return True
        unanswered: list[str] = []
        waiting = self._waiting()
        # An answer that comes after the task's timeout is nobody's any more.
        self._later = {task.id: self._later[task.id] for _, task in waiting if task.id in self._later}
        moved = [path for path, task in waiting if self._answered(path, task, unanswered)]
        if moved:
            return False
        moments = [moment for moment, _ in self._later.values()]
        if unanswered and not moments:
            self.stopped = f"no mock is left for {', '.join(repr(path) for path in unanswered[:5])}"
            return True
        with self.harness.store.transaction() as tx:
            rings = tx.next_ring()
        if rings is not None and not unanswered:
            moments.append(rings)
        if not moments:
            still = ", ".join(repr(path) for path, _ in waiting[:5]) or "no task"
            self.stopped = f"nothing would move it any more: {still} is open"
            return True
        now = self.harness.clock.now()
        self.harness.advance(max(0, min(moments) - now) / SECOND)
        return False

    def _waiting(self) -> list[tuple[str, Task]]:
        """Return the open tasks of the run and of those below it, each with its path of plain reference names."""
        found: list[tuple[str, Task]] = []
        with self.harness.store.transaction() as tx:
            _, runs = tx.find(WorkflowQuery(size=_MOST_RUNS))
            rows = tx.load([run.id for run in runs])
        paths = {self.workflow_id: ""}
        for run in sorted((each.workflow for each in rows.values()), key=lambda run: run.depth):
            if run.parent_id in paths and run.parent_task_id is not None:
                task = next(task for task in rows[run.parent_id].tasks if task.id == run.parent_task_id)
                path = paths[run.parent_id] + plain_ref(task.ref)
                # What stands in for a mocked child does nothing.
                if path not in self._script:
                    paths[run.id] = f"{path}/"
            if run.id in paths and run.status is WorkflowStatus.RUNNING:
                here = paths[run.id]
                found += [(here + plain_ref(task.ref), task) for task in rows[run.id].tasks if task.status.is_open]
        return found

    def _answered(self, path: str, task: Task, unanswered: list[str]) -> bool:
        """Give a task its answer if there is one now; note it where there will be none."""
        handed_out = bool(task.queue) and task.dispatched
        if (task.queue and not handed_out) or task.id in self._unmoved:
            return False
        answer = self._answer(path, task)
        if answer is not None:
            return self._give(task, answer)
        open_ended = task_type(task.type).takes_signal and task.due_at == NEVER
        if task.id not in self._later and (handed_out or open_ended):
            unanswered.append(path)
        return False

    def _answer(self, path: str, task: Task) -> Answer | None:
        """Return the answer that is due now."""
        now = self.harness.clock.now()
        if task.id in self._later:
            moment, answer = self._later[task.id]
            if moment > now:
                return None
            del self._later[task.id]
            return answer
        if path not in self._script:
            return self._computed(task)
        scripted = self._script.next(path, task.input)
        if scripted is not None and scripted.after_seconds > 0:
            self._later[task.id] = (after(now, scripted.after_seconds), scripted)
            if task.queue:
                self._begin(task)
            return None
        return scripted

    def _begin(self, task: Task) -> None:
        """Say what a worker says when it begins: from now on its timeouts count."""
        self.harness.request(
            task.workflow_id, "update_task", taskId=task.id, status=TaskStatus.IN_PROGRESS.value, extendLease=True
        )

    def _computed(self, task: Task) -> Answer | None:
        kind = self._computing.get(task.queue)
        step = kind.computed(task.input) if kind is not None else None
        if step is None:
            return None
        if isinstance(step, Complete):
            return Answer(output=step.output)
        status = TaskStatus.FAILED_WITH_TERMINAL_ERROR if step.terminal else TaskStatus.FAILED
        return Answer(status=status, reason=step.reason, output=step.output)

    def _give(self, task: Task, answer: Answer) -> bool:
        outcome = self.harness.request(
            task.workflow_id,
            "update_task",
            taskId=task.id,
            status=answer.status.value,
            output=answer.output,
            reason=answer.reason,
        )
        if not outcome.granted:
            self._unmoved.add(task.id)
        return outcome.granted

    # what became of it

    @property
    def run(self) -> Workflow:
        """The run's own record."""
        return self.harness.run(self.workflow_id)

    @property
    def status(self) -> str:
        """How the run stands: COMPLETED, FAILED, …, or RUNNING where it stopped for want of a mock."""
        return self.run.status.value

    @property
    def output(self) -> JsonObject:
        """What the run produced."""
        return self.run.output

    @property
    def reason(self) -> str | None:
        """Why the run did not complete."""
        return self.run.reason

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every attempt of every task, in the order of scheduling."""
        return self.harness.rows(self.workflow_id).tasks

    @property
    def statuses(self) -> dict[str, str]:
        """The status of the last attempt of every task, by reference name; in loops with its suffix: ``ship__2``."""
        return self.harness.statuses(self.workflow_id)

    @property
    def seconds(self) -> float:
        """How much simulated time has passed."""
        return (self.harness.clock.now() - self._began) / SECOND

    def attempts(self, ref: str) -> list[Task]:
        """Return all attempts of a task, with their input, output, status and times."""
        return [task for task in self.tasks if task.ref == ref]

    def task(self, ref: str) -> Task:
        """Return the last attempt of a task; raises KeyError with those there are when it never ran."""
        found = self.attempts(ref)
        if not found:
            raise KeyError(f"{ref!r} has not run: {', '.join(self.statuses) or 'nothing has'}")
        return found[-1]


def plain_ref(ref: str) -> str:
    """Return a reference name without the suffix of the loops in which its task stands."""
    stem, mark, number = ref.rpartition("__")
    return plain_ref(stem) if mark and stem and number.isdigit() else ref
