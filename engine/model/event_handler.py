"""What is to be done when a message arrives: an event handler, as people write it and as Conductor prints it (4.12)."""

from __future__ import annotations

from pydantic import Field

from engine.model.definition import Text, Version, Written
from engine.model.payload import Json


class StartAction(Written):
    """Which workflow to start, and with what."""

    name: Text = ""
    version: Version | None = None
    correlation_id: Text | None = None
    input: dict[str, Json] = Field(default_factory=dict)
    task_to_domain: dict[str, Json] | None = None
    priority: Json | None = None
    idempotency_key: Text | None = None
    idempotency_strategy: Text | None = None


class TaskAction(Written):
    """Which task to end, by its id or by its run and reference name, and what it has for output."""

    workflow_id: Text | None = None
    task_ref_name: Text | None = None
    task_id: Text | None = None
    output: dict[str, Json] = Field(default_factory=dict)
    reason_for_incompletion: Text | None = None


class TerminateAction(Written):
    """Which run to end, and why."""

    workflow_id: Text | None = None
    termination_reason: Text | None = None


class VariablesAction(Written):
    """Whose variables to change; ``append_array`` puts the elements of a list behind those that are there."""

    workflow_id: Text | None = None
    variables: dict[str, Json] = Field(default_factory=dict)
    append_array: bool = False


class EventAction(Written):
    """One thing to do: ``action`` names the field that says more about it."""

    action: Text = ""
    start_workflow: StartAction | None = Field(None, alias="start_workflow")
    complete_task: TaskAction | None = Field(None, alias="complete_task")
    fail_task: TaskAction | None = Field(None, alias="fail_task")
    terminate_workflow: TerminateAction | None = Field(None, alias="terminate_workflow")
    update_workflow_variables: VariablesAction | None = Field(None, alias="update_workflow_variables")
    expand_inline_json: bool = Field(False, alias="expandInlineJSON")


class EventHandler(Written):
    """Does ``actions`` whenever a message arrives at ``event`` that ``condition`` holds for; only while ``active``."""

    name: Text = ""
    event: Text = ""
    description: Text | None = None
    condition: Text | None = None
    evaluator_type: Text | None = None
    actions: tuple[EventAction, ...] = ()
    active: bool = False
