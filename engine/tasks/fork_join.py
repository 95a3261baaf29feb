"""FORK_JOIN: opens several lists of steps side by side (Conductor 3.3)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.tasks.step import Abort, At, Branch, Open, Step, TaskType, required

#: Conductor's sentence for a fork that nobody joins.
NOT_JOINED = "Fork task definition is not followed by a join task.  Check the blueprint"


def is_joined(following: WorkflowTask | None) -> bool:
    """True when the step behind a fork is the JOIN that it needs."""
    return following is not None and following.type == "JOIN"


class ForkJoin(TaskType):
    """Complete at once; the flow goes on to the JOIN behind it while the branches run."""

    name = "FORK_JOIN"
    shown_as = "FORK"
    named_by_type = True
    retriable = False
    detached = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand branches, none of them empty."""
        yield from required(config, "forkTasks", config.fork_tasks)
        for number, steps in enumerate(config.fork_tasks):
            if not steps:
                yield Fault(
                    f"forkTasks[{number}]", "this branch is empty: give it a task (NOOP does nothing) or drop it"
                )

    def check_follower(self, following: WorkflowTask | None) -> str | None:
        """Demand a JOIN."""
        return None if is_joined(following) else NOT_JOINED

    def start(self, at: At) -> Step:
        """Open every branch."""
        if not is_joined(at.next_step()):
            return Abort(reason=NOT_JOINED)
        return Open(detached=True)

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return all branches, named by their number."""
        return tuple(Branch(name=str(number), steps=steps) for number, steps in enumerate(config.fork_tasks) if steps)


TYPE = ForkJoin()
