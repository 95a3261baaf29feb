"""START_WORKFLOW: starts another run and goes on (Conductor 3.10)."""

from __future__ import annotations

from engine.model.event import ChildEnded
from engine.model.execution import Task
from engine.model.payload import JsonObject
from engine.tasks.step import At, Complete, Fail, Launch, Step, TaskType


class StartWorkflow(TaskType):
    """Complete as soon as the other run is stored; the two have no further tie."""

    name = "START_WORKFLOW"
    stops_with_task = False
    awaits_child = False

    def start(self, at: At) -> Step:
        """Launch what ``startWorkflow`` describes."""
        request = at.task.input.get("startWorkflow")
        if not isinstance(request, dict) or not (request.get("name") or request.get("workflowDef")):
            return Fail(reason="Missing 'startWorkflow' in input data: it needs at least the name of a workflow")
        return Launch(input=at.task.input)

    def child(self, task: Task) -> JsonObject:
        """Return what ``startWorkflow`` says."""
        request: JsonObject = task.input["startWorkflow"]
        return request

    def child_started(self, at: At, child_id: str) -> Step:
        """Complete with the id of the run."""
        return Complete(output={"workflowId": child_id})

    def child_ended(self, at: At, news: ChildEnded) -> Step:
        """Fail when the run could not be started at all."""
        return Fail(reason=news.reason or "The workflow could not be started")


TYPE = StartWorkflow()
