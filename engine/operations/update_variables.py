"""update_variables: writes variables of an open run from outside, as SET_VARIABLE does from inside."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome, Request
from engine.operations.desk import Desk, granted, refused


def operate(desk: Desk, request: Request) -> Outcome:
    """Put these ``variables`` over those of the run; what is evaluated from then on sees them.

    With ``appendArray`` the elements of a list go behind those of the list that is there, instead of replacing it.
    """
    workflow = desk.workflow
    if workflow.status.is_terminal:
        return refused(409, f"Workflow {workflow.id} has ended ({workflow.status}): its variables stay as they are.")
    given = request.arguments.get("variables")
    if not isinstance(given, Mapping):
        return refused(400, "'variables' must be a JSON object.")
    if request.arguments.get("appendArray"):
        given = {name: _appended(workflow.variables, name, value) for name, value in given.items()}
    variables = {**workflow.variables, **given}
    size, limit = len(msgspec.json.encode(variables)), desk.variables_limit_bytes
    if size > limit:
        return refused(400, f"The variables would take {size:,} bytes; the limit is {limit:,} bytes.")
    desk.change_workflow(variables=variables)
    return granted(variables=variables)


def _appended(variables: JsonObject, name: str, value: Json) -> Json:
    present = variables.get(name)
    if isinstance(present, list | tuple) and isinstance(value, list):
        return [*present, *value]
    return value
