"""A change to the variables of a run and to one of its tasks, asked for at once: WorkflowStateUpdate (Orkes)."""

from __future__ import annotations

from msgspec import Struct

from engine.model.payload import Json, JsonObject
from engine.model.status import TaskStatus
from engine.wire.conductor import REPORTABLE, read_word
from engine.wire.fields import Fields


class StateUpdate(Struct, frozen=True):
    """The variables, and the arguments of ``update_task``; either may be empty."""

    variables: JsonObject
    report: JsonObject


def read_state_update(document: Json) -> StateUpdate:
    """Read a WorkflowStateUpdate; raise ``BadMessage`` naming every wrong field.

    The task is named by ``taskReferenceName`` or by the ``taskId`` of its result; without a ``status`` it is COMPLETED.
    """
    fields = Fields(document, "state update")
    ref, variables, result = fields.text("taskReferenceName"), fields.mapping("variables"), fields.raw("taskResult")
    if result is None and not ref:
        fields.finish()
        return StateUpdate(variables, {})
    said = Fields({} if result is None else result, "taskResult")
    identity = said.text("taskId")
    if not ref and not identity:
        fields.fault("taskReferenceName", "is missing: it names the task that 'taskResult' is about")
    named = {"ref": ref} if ref else {"taskId": identity}
    status = said.one_of("status", [each.value for each in REPORTABLE]) or TaskStatus.COMPLETED.value
    report = {**named, "status": status, **read_word(said)}
    fields.finish()
    said.finish()
    return StateUpdate(variables, report)
