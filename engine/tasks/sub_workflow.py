"""SUB_WORKFLOW: starts another run and waits for its end (Conductor 3.9)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Fault
from engine.expression.template import is_expression
from engine.model.definition import WorkflowTask
from engine.model.event import ChildEnded
from engine.model.execution import Task
from engine.model.payload import JsonObject
from engine.model.status import TaskStatus, WorkflowStatus
from engine.tasks.step import At, Complete, Fail, Launch, Step, TaskType, required

_ENDS = {
    WorkflowStatus.FAILED: TaskStatus.FAILED,
    WorkflowStatus.TIMED_OUT: TaskStatus.TIMED_OUT,
    WorkflowStatus.TERMINATED: TaskStatus.CANCELED,
}


class SubWorkflow(TaskType):
    """The child's id is derived from the task's, so a start that is repeated finds the child it already has."""

    name = "SUB_WORKFLOW"
    wraps_input = True

    def check(self, config: WorkflowTask) -> Iterator[Fault]:
        """Demand something that says which child."""
        yield from required(config, "subWorkflowParam", config.sub_workflow_param)
        param = config.sub_workflow_param
        if param is None:
            return
        definition = param.workflow_definition
        if definition is not None and not isinstance(definition, dict) and not is_expression(definition):
            yield Fault("subWorkflowParam.workflowDefinition", "must be a definition or a ${…} expression for one")

    def warn(self, config: WorkflowTask) -> Iterator[Fault]:
        """Expect a name, where the child is not written out."""
        param = config.sub_workflow_param
        if param is not None and not param.name and not param.workflow_definition:
            yield Fault("subWorkflowParam.name", "name the workflow to start, or give its workflowDefinition")

    def start(self, at: At) -> Step:
        """Launch the child with the eight keys that Conductor stores, all of them always present."""
        param = at.config.sub_workflow_param
        if param is None:
            return Fail(reason="Missing subWorkflowParam: the task does not say which workflow to start", terminal=True)
        definition = param.workflow_definition
        if isinstance(definition, str):
            definition = at.substitute(definition)
        return Launch(
            input={
                "workflowInput": at.task.input,
                "subWorkflowName": at.substitute(param.name),
                "subWorkflowVersion": param.version,
                "subWorkflowTaskToDomain": at.substitute(param.task_to_domain),
                "subWorkflowDefinition": definition,
                "priority": at.substitute(param.priority),
                "idempotencyKey": at.substitute(param.idempotency_key),
                "idempotencyStrategy": param.idempotency_strategy,
            }
        )

    def child(self, task: Task) -> JsonObject:
        """Return the request for the child; an empty input becomes the whole of the task's (Conductor 3.9)."""
        given = task.input
        definition, priority = given.get("subWorkflowDefinition"), given.get("priority")
        child_input = given.get("workflowInput") or given
        if definition:
            child_input = {**child_input, "_systemMetadata": {"dynamic": True}}
        return {
            "name": given.get("subWorkflowName"),
            "version": given.get("subWorkflowVersion"),
            "input": child_input,
            "taskToDomain": given.get("subWorkflowTaskToDomain"),
            "workflowDef": definition,
            "priority": priority if isinstance(priority, int) else 0,
            "idempotencyKey": given.get("idempotencyKey"),
            "idempotencyStrategy": given.get("idempotencyStrategy"),
        }

    def child_ended(self, at: At, news: ChildEnded) -> Step:
        """End as the child did."""
        output = {"subWorkflowId": news.child_id, **news.output}
        if news.status is WorkflowStatus.COMPLETED:
            return Complete(output=output)
        reason = f"Sub workflow {_short_name(at.task)}/{news.child_id} failure reason: {news.reason}"
        return Fail(reason=reason, output=output, status=_ENDS[news.status])


def _short_name(task: Task) -> str:
    """Return the child's name with its version, where the task knows it."""
    definition = task.input.get("subWorkflowDefinition")
    if isinstance(definition, dict):
        return f"{definition.get('name')}.{definition.get('version', 1)}"
    name, version = task.input.get("subWorkflowName"), task.input.get("subWorkflowVersion")
    return f"{name}.{version}" if version else str(name)


TYPE = SubWorkflow()
