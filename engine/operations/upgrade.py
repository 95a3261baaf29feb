"""upgrade: an open run goes on by another version of its definition (Orkes)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.model.payload import JsonObject
from engine.model.request import Outcome, Request
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Go by ``version`` from now on, the latest if none is given, with ``workflowInput`` for the run's input.

    What the flow has come to stays as it is, so each of its steps must stand in the same place there.
    """
    workflow, arguments = desk.workflow, request.arguments
    if workflow.status.is_terminal:
        return refused(409, f"Workflow {workflow.id} has ended ({workflow.status}): restart it by the latest version.")
    if wrong := " ".join(_faults(arguments, workflow.name)):
        return refused(400, wrong)
    before = desk.definition.version
    unfit = desk.use_definition(arguments.get("version"), keep_tasks=True)
    if unfit is not None:
        return refused(404 if unfit.startswith("No such") else 409, unfit)
    given = arguments.get("workflowInput")
    wrong_input = None if given is None else desk.take_input(given)
    if wrong_input is not None:
        return refused(400, wrong_input)
    desk.go_on()
    return granted(version=desk.definition.version, before=before)


def _faults(arguments: JsonObject, name: str) -> Iterator[str]:
    version = arguments.get("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        yield "'version' must be a whole number."
    if arguments.get("name") not in (None, name):
        yield f"The run is one of {name!r}, it cannot become one of {arguments.get('name')!r}."
    if not isinstance(arguments.get("workflowInput") or {}, Mapping):
        yield "'workflowInput' must be a JSON object."
    if arguments.get("taskOutput"):
        yield "'taskOutput' is for new steps before those that the run has come to, and there may be none."
