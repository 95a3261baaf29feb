"""FORK_JOIN: opens several lists of steps side by side (Conductor 3.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask, walk
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
        """Demand branches."""
        yield from required(config, "forkTasks", config.fork_tasks)

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name empty branches, which break a run of Conductor."""
        for number, steps in enumerate(config.fork_tasks):
            if not steps:
                yield Fault(
                    f"forkTasks[{number}]", "this branch is empty: give it a task (NOOP does nothing) or drop it"
                )

    def warn_follower(self, config: WorkflowTask, following: WorkflowTask | None) -> Iterator[Fault]:
        """Expect a JOIN that waits for every branch, and for nothing else."""
        if following is None or not is_joined(following):
            yield Fault("", NOT_JOINED)
            return
        inside = {step.task_reference_name for steps in config.fork_tasks for _, step in walk(steps)}
        join = following.task_reference_name
        for ref in following.join_on:
            if ref not in inside:
                yield Fault("", f"{join!r} waits for {ref!r}, which is in none of the branches")
        for number, steps in enumerate(config.fork_tasks):
            if steps and not _may_end_with(steps[-1], following.join_on):
                last = steps[-1].task_reference_name
                yield Fault(f"forkTasks[{number}]", f"{join!r} does not wait for {last!r}, the end of this branch")

    def start(self, at: At) -> Step:
        """Open every branch."""
        if not is_joined(at.next_step()):
            return Abort(reason=NOT_JOINED)
        return Open(detached=True)

    def branches(self, config: WorkflowTask, task: Task) -> tuple[Branch, ...]:
        """Return all branches, named by their number."""
        return tuple(Branch(name=str(number), steps=steps) for number, steps in enumerate(config.fork_tasks) if steps)


def _may_end_with(last: WorkflowTask, refs: Collection[str]) -> bool:
    """True when one of the references is the last step of a branch, or in it: a case of a SWITCH may be named.

    Nobody has to wait for a step that ends the run.
    """
    from engine.tasks import task_type  # the register lists this very module

    return task_type(last.type).ends_run or any(step.task_reference_name in refs for _, step in walk((last,)))


TYPE = ForkJoin()
