"""skip_task: a step that the flow has not come to yet is passed over when it does (Conductor 4.10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from engine.model.definition import walk
from engine.model.payload import JsonObject
from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted, refused

_ITERATIONS = re.compile(r"(__\d+)+$")


def operate(desk: Desk, request: Request) -> Outcome:
    """Have the step ``ref`` passed over, with ``taskInput`` and ``taskOutput`` in its row."""
    workflow, arguments = desk.workflow, request.arguments
    if workflow.status is not WorkflowStatus.RUNNING:
        return refused(409, f"Workflow {workflow.id} is {workflow.status}, not RUNNING: no step of it can be skipped.")
    if wrong := " ".join(_faults(arguments)):
        return refused(400, wrong)
    ref = str(arguments.get("ref"))
    known = {step.task_reference_name for _, step in walk(desk.definition.tasks)}
    if ref not in known and _ITERATIONS.sub("", ref) not in known:
        return refused(404, f"The task {ref} does not exist in workflow {workflow.name}.")
    if any(task.ref == ref for task in desk.tasks()):
        return refused(409, f"The task {ref} is scheduled already: only a step that is still to come can be skipped.")
    wish = {"input": arguments.get("taskInput") or {}, "output": arguments.get("taskOutput") or {}}
    desk.change_workflow(skips={**workflow.skips, ref: wish})
    return granted()


def _faults(arguments: JsonObject) -> Iterator[str]:
    for name in ("taskInput", "taskOutput"):
        if not isinstance(arguments.get(name) or {}, Mapping):
            yield f"{name!r} must be a JSON object."
