"""GET_WORKFLOW: reads how a run stands (Orkes)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.model.definition import WorkflowTask
from engine.model.execution import WORKFLOW_ID
from engine.tasks.step import At, Complete, Fail, Step, TaskType, required


class GetWorkflow(TaskType):
    """Its output is Conductor's Workflow object, with the run's tasks where ``includeTasks`` is true."""

    name = "GET_WORKFLOW"

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand the id of a run."""
        yield from required(config, "inputParameters.id", config.input_parameters.get("id"))

    def start(self, at: At) -> Step:
        """Look at the run; it is seen as it was last stored, and the task's own run as it is now."""
        wanted = at.task.input.get("id")
        if not isinstance(wanted, str) or WORKFLOW_ID.fullmatch(wanted) is None:
            return Fail(reason=f"'id' must be the id of a workflow, not {wanted!r:.200}", terminal=True)
        found = at.run(wanted, with_tasks=at.task.input.get("includeTasks") in (True, "true"))
        return Fail(reason=found) if isinstance(found, str) else Complete(output=found)


TYPE = GetWorkflow()
