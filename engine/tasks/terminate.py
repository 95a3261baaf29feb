"""TERMINATE: ends the whole run on purpose (Conductor 3.18)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.model.status import WorkflowStatus
from engine.tasks.step import At, End, Fail, Step, TaskType

_ENDS = {"COMPLETED", "FAILED", "TERMINATED"}


class Terminate(TaskType):
    """Ends the run with a status, a reason and an output of the author's choice."""

    name = "TERMINATE"
    ends_run = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand a literal status; a TERMINATE cannot be optional."""
        if config.input_parameters.get("terminationStatus") not in _ENDS:
            yield Fault("inputParameters.terminationStatus", "must be COMPLETED, FAILED or TERMINATED, written out")
        if config.optional:
            yield Fault("optional", "a TERMINATE task cannot be optional")

    def warn_follower(self, config: WorkflowTask, following: WorkflowTask | None) -> Iterator[Fault]:
        """Nothing behind it is ever reached."""
        if following is not None:
            yield Fault("", f"ends the run, so {following.task_reference_name!r} behind it is never reached")

    def start(self, at: At) -> Step:
        """End the run; a status that is none fails the task."""
        given = at.task.input
        status = given.get("terminationStatus")
        if status not in _ENDS:
            return Fail(reason=f"Invalid termination status {status!r}: must be COMPLETED, FAILED or TERMINATED")
        output = given.get("workflowOutput")
        if output is not None and not isinstance(output, dict):
            output = {"output": output}
        reason = given.get("terminationReason")
        if reason is None:
            reason = f"Workflow is {status} by TERMINATE task: {at.task.id}"
        return End(status=WorkflowStatus(status), output=output or {}, reason=str(reason))


TYPE = Terminate()
