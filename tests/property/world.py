"""A small world of pure decisions: runs in memory, a letterbox of undelivered news, workers that answer when told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from engine.clock import Instant, after
from engine.decider.decide import Decision, begin, decide, new_run
from engine.decider.draft import Surroundings
from engine.decider.execution import Execution, restore
from engine.decider.messages import messages
from engine.decider.snapshot import hash_of, snapshot
from engine.decider.validate import check_task, check_workflow
from engine.model.event import Event, StartWorkflow, TaskResult, Wake
from engine.model.execution import NEVER, Task, split_task_id
from engine.model.payload import Json
from engine.model.request import Request
from engine.model.status import TaskStatus, WorkflowStatus
from engine.testing.clock import START
from engine.wire.inbound import decode
from engine.wire.message import Delivery, Message

#: What a run derives from its rows; two runs are the same when these are.
DERIVED = ("lists", "forks", "joins", "unsettled", "waiters", "open", "holding", "latest", "named", "tasks", "plans")


class World:
    """Runs by id, with nothing between them but news that wait to be delivered."""

    def __init__(
        self, definition: Mapping[str, Json], tasks: Sequence[Mapping[str, Json]] = (), *, budget: int = 20_000
    ):
        self.definition = check_workflow(dict(definition))
        self.now: Instant = START
        self.surroundings = Surroundings(
            task_defs={each["name"]: check_task(dict(each)) for each in tasks}, step_budget=budget
        )
        self.runs: dict[str, Execution] = {}
        self.letters: list[Event | StartWorkflow] = []
        #: Ids of tasks that workers have in hand; the same one may be there twice.
        self.at_work: list[str] = []
        self._requests = 0
        self._root = StartWorkflow(event_id="start", workflow_id="root", name=self.definition.name)

    @property
    def root(self) -> Execution:
        return self.runs["root"]

    def start(self) -> None:
        self.deliver(self._root)

    def deliver(self, letter: Event | StartWorkflow) -> Decision | None:
        """Decide upon one letter, as the road does."""
        if isinstance(letter, StartWorkflow):
            return None if letter.workflow_id in self.runs else self._begin(letter)
        run = self.runs.get(letter.workflow_id)
        return None if run is None else self.settle(run, decide(run, [letter], self.now, self.surroundings))

    def _begin(self, start: StartWorkflow) -> Decision:
        written = self.definition if start.workflow_def is None else check_workflow(start.workflow_def)
        definition = snapshot(written, self.surroundings.task_defs, {}, {})
        run = new_run(start, definition, hash_of(definition), self.now)
        return self.settle(run, begin(run, start, self.now, self.surroundings))

    def settle(self, run: Execution, decision: Decision) -> Decision:
        """Make a decision the run's present state and send what it commands."""
        version = run.workflow.version_no + 1
        decision.draft.fold(msgspec.structs.replace(decision.workflow, version_no=version))
        run = decision.draft.base
        self.runs[run.workflow.id] = run
        for commands in decision.commands.values():
            for command in commands:
                for message in messages(run, command, 1):
                    self._send(message)
        return decision

    def _send(self, message: Message) -> None:
        if message.exchange:
            return
        if message.queue.startswith("baton."):
            self.letters.append(decode(Delivery(message=message, queue=message.queue), lambda: "nobody"))
        elif "task" in message.headers:
            self.at_work.append(str(message.headers["id"]))

    def answer(self, task_id: str, status: TaskStatus) -> TaskResult:
        """Return what a worker says about a task."""
        parts = split_task_id(task_id)
        assert parts is not None
        ended = status is not TaskStatus.IN_PROGRESS
        return TaskResult(
            event_id=f"{parts[1]}/{status}",
            workflow_id=parts[0],
            seq=parts[1],
            status=status,
            output={"from": task_id} if status is TaskStatus.COMPLETED else {},
            reason="it broke" if status is TaskStatus.FAILED else None,
            heartbeat=not ended,
        )

    def wakes(self) -> list[Wake]:
        """Return the wake-ups that the timekeeper would send now."""
        return [
            Wake(event_id=f"{run.workflow.id}/{run.workflow.wake_at}", workflow_id=run.workflow.id)
            for run in self.runs.values()
            if run.workflow.status.is_open and run.workflow.wake_at != NEVER and run.workflow.wake_at <= self.now
        ]

    def request(self, workflow_id: str, verb: str) -> Request:
        self._requests += 1
        return Request(event_id=f"request {self._requests}", workflow_id=workflow_id, verb=verb)

    def advance(self, seconds: float) -> None:
        self.now = after(self.now, seconds)

    def reload(self, workflow_id: str) -> None:
        """Forget a run and read it from its rows again, as another decider would."""
        self.runs[workflow_id] = restored(self.runs[workflow_id])

    def run_to_its_end(self) -> None:
        """Let everybody be quick and successful from now on; fails when the run does not end by that."""
        for run in list(self.runs.values()):
            if run.workflow.status is WorkflowStatus.PAUSED:
                self.deliver(self.request(run.workflow.id, "resume"))
        for _ in range(2_000):
            if not self.root.workflow.status.is_open and not self.letters:
                return
            if self.letters:
                self.deliver(self.letters.pop(0))
            elif self.at_work:
                self.deliver(self.answer(self.at_work.pop(0), TaskStatus.COMPLETED))
            elif wakes := self.wakes():
                self.letters += wakes
            else:
                dates = [run.workflow.wake_at for run in self.runs.values() if run.workflow.status.is_open]
                assert any(dates), f"nothing will ever move this run: {statuses(self.root)}"
                self.now = max(self.now, min(date for date in dates if date))
        raise AssertionError(f"the run does not end: {statuses(self.root)}")


def rows(run: Execution) -> list[Task]:
    return [run.tasks[seq] for seq in sorted(run.tasks)]


def restored(run: Execution) -> Execution:
    return restore(run.workflow, rows(run), run.definition)


def derived(run: Execution) -> dict[str, object]:
    """Return what a run derives from its rows, comparable."""
    return {name: dict(getattr(run, name)) for name in DERIVED}


def statuses(run: Execution) -> dict[str, str]:
    return {task.ref: task.status.value for task in rows(run)}
