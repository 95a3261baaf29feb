"""JOIN: waits for the branches of a fork and gathers their outputs (Conductor 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.model.execution import Task
from engine.model.status import TaskStatus
from engine.tasks.fork_join_dynamic import TYPE as FORK_JOIN_DYNAMIC
from engine.tasks.join_script import SCRIPTS, by_script
from engine.tasks.step import At, Await, Complete, Fail, Step, TaskType


class Join(TaskType):
    """Told when the last branch has settled; never polls.

    A reference inside an untaken case of a SWITCH does not hold it up once every branch of its fork has ended
    (Conductor would wait for ever).
    """

    name = "JOIN"
    named_by_type = True
    retriable = False
    reopens = True

    def start(self, at: At) -> Step:
        """Wait for the references named by ``joinOn``, or for the branches that a dynamic fork made."""
        before = at.previous()
        dynamic = before is not None and before[0].type == FORK_JOIN_DYNAMIC.name
        # One that was skipped has made none.
        refs = before[1].input.get("forkedTasks", ()) if before is not None and dynamic else at.config.join_on
        return Await(input={**at.task.input, "joinOn": list(dict.fromkeys(refs))})

    def joins(self, config: WorkflowTask) -> tuple[str, ...]:
        """Return what is written in ``joinOn``."""
        return config.join_on

    def awaits(self, config: WorkflowTask, task: Task) -> tuple[str, ...]:
        """Return the stored ``joinOn``."""
        return tuple(task.input.get("joinOn", ()))

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Name evaluators that are not offered."""
        if config.expression and (config.evaluator_type or "js") not in SCRIPTS:
            yield Fault("evaluatorType", f"nothing here evaluates {config.evaluator_type!r}: use javascript")

    def scripts(self, config: WorkflowTask) -> Iterator[tuple[str, str]]:
        """Yield the join script."""
        if config.expression and (config.evaluator_type or "js") in SCRIPTS:
            yield "expression", config.expression

    def settled_early(self, at: At) -> Step | None:
        """Ask the script, where there is one."""
        return by_script(at, done=False) if at.config.expression else None

    def settled(self, at: At, joined: Sequence[tuple[WorkflowTask, Task]]) -> Step:
        """Complete with every branch's output; fail where a permissive one has failed. A script has the last word."""
        if at.config.expression:
            return by_script(at, done=True) or Complete()
        output = {task.ref: task.output for _, task in joined if task.output}
        failed = [task for step, task in joined if not task.status.is_successful and not step.optional]
        if failed:
            reasons = " ".join(task.reason for task in failed if task.reason)
            cancelled = all(task.status is TaskStatus.CANCELED for task in failed)
            return Fail(reason=reasons, output=output, status=TaskStatus.CANCELED if cancelled else TaskStatus.FAILED)
        flawed = [task for _, task in joined if task.status is TaskStatus.COMPLETED_WITH_ERRORS]
        if flawed:
            reason = " ".join(f"{task.name}/{task.id} completed with errors" for task in flawed)
            return Complete(output=output, status=TaskStatus.COMPLETED_WITH_ERRORS, reason=reason)
        return Complete(output=output)


TYPE = Join()
