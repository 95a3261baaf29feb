"""SET_VARIABLE: writes variables of the run (Conductor 3.17)."""

from __future__ import annotations

import msgspec

from engine.tasks.step import Assign, At, Fail, Step, TaskType


class SetVariable(TaskType):
    """Every input key becomes a variable; the whole must stay below the limit."""

    name = "SET_VARIABLE"

    def start(self, at: At) -> Step:
        """Assign the inputs, unless that would make the variables too large."""
        variables = {**at.workflow.variables, **at.task.input}
        size = len(msgspec.json.encode(variables))
        if size > at.limits.variables_bytes:
            limit = at.limits.variables_bytes
            return Fail(reason=f"The variables would take {size} bytes; the limit is {limit} bytes", terminal=True)
        return Assign(variables=at.task.input)


TYPE = SetVariable()
