"""An engine with a scheduler whose connection may break, or kill its owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.api import schedules
from engine.broker.memory import MemoryConnection
from engine.clock import SECOND, Instant, after, milliseconds
from engine.config import Settings
from engine.errors import BrokerUnavailable
from engine.model.execution import Workflow
from engine.model.payload import Json
from engine.model.schedule import ScheduleExecution
from engine.services.scheduler import Scheduler
from engine.store.port import WorkflowQuery
from engine.store.schedule_port import ExecutionQuery
from engine.testing.harness import Harness
from engine.wire.message import Message


class Killed(BaseException):
    """The process is gone."""


class Line(MemoryConnection):
    """A scheduler's connection that may break, or kill its owner, just before or after it publishes."""

    before: Callable[[], None] = staticmethod(lambda: None)
    behind: Callable[[], None] = staticmethod(lambda: None)

    def publish(self, messages: Sequence[Message]) -> None:
        self.before()
        super().publish(messages)
        self.behind()


def killed() -> None:
    raise Killed


def away() -> None:
    raise BrokerUnavailable("the broker is away")


class Site:
    """An engine with a scheduler, on a clock that the test sets; it stands at a full minute."""

    def __init__(self, kept: int = 100) -> None:
        self.engine = Harness(settings=Settings(schedule_executions_kept=kept))
        self.engine.register({"name": "report", "tasks": [{"name": "write", "taskReferenceName": "write"}]})
        now = self.engine.clock.now()
        self.engine.clock.set(Instant(now - now % (60 * SECOND)))
        self.begin = self.engine.clock.now()
        self.restart()

    def restart(self) -> None:
        """Let another scheduler go on that remembers nothing."""
        self.line = Line(self.engine.broker)
        settings = self.engine.settings
        self.scheduler = Scheduler(self.engine.store, self.line, self.engine.clock, settings, 1)

    def save(self, **fields: Json) -> None:
        """Save a schedule that starts a report every minute."""
        document = {"name": "minutely", "cronExpression": "0 * * * * *", "startWorkflowRequest": {"name": "report"}}
        schedules.save(self.engine.store, document | fields, self.engine.clock.now())

    def look(self) -> None:
        """Let the scheduler look, and deciders carry what it has sent."""
        self.scheduler.look()
        self.engine.carry()

    def at(self, seconds: float) -> None:
        """Let time pass until so many seconds after the beginning, and look."""
        self.engine.clock.set(after(self.begin, seconds))
        self.look()

    def runs(self) -> list[Workflow]:
        """Return every run, the oldest first."""
        with self.engine.store.transaction() as transaction:
            _, found = transaction.find(WorkflowQuery(size=1_000))
        return sorted(found, key=lambda run: int(run.input["_scheduledTime"]))

    def minutes(self) -> list[int]:
        """Return the minutes whose dates have started a run."""
        return [(run.input["_scheduledTime"] - milliseconds(self.begin)) // 60_000 for run in self.runs()]

    def executions(self) -> list[ScheduleExecution]:
        """Return what became of the dates, the earliest first."""
        with self.engine.store.transaction() as transaction:
            return list(reversed(transaction.executions(ExecutionQuery())[1]))

    def states(self) -> list[str]:
        return [each.state.value for each in self.executions()]

    def finish(self) -> None:
        """Let the runs that are open come to their end."""
        self.engine.work({"write": lambda _: {}})

    def pause(self) -> None:
        """Pause the schedule."""
        schedules.pause(self.engine.store, "minutely", self.engine.clock.now(), paused=True)

    def resume(self) -> None:
        """Let the schedule go on."""
        schedules.pause(self.engine.store, "minutely", self.engine.clock.now(), paused=False)
