"""Asks for what takes more than a verb: doing a run over, passing over a step, removing a run."""

from __future__ import annotations

from typing import Final

from engine.api.operating import operate, operation
from engine.api.requester import Requester
from engine.model.payload import JsonObject

#: What a rerun may say; ``reRunFromWorkflowId`` is the run itself.
_RERUN: Final = ("reRunFromTaskId", "taskInput", "workflowInput", "correlationId")

#: What passing over a step may say; Conductor reads none of it.
_SKIP: Final = ("taskInput", "taskOutput")


def rerun(requester: Requester, workflow_id: str, given: JsonObject) -> None:
    """Have a task and all that came behind it done over, or the whole run."""
    operate(requester, workflow_id, "rerun", **{name: given[name] for name in _RERUN if given.get(name) is not None})


def skip(requester: Requester, workflow_id: str, ref: str, given: JsonObject) -> None:
    """Have a step passed over when the flow comes to it."""
    wish = {name: given[name] for name in _SKIP if given.get(name) is not None}
    operate(requester, workflow_id, "skip_task", ref=ref, **wish)


def remove(requester: Requester, workflow_id: str, *, archive: bool) -> None:
    """Have a run deleted; without an archive it is ended first."""
    if not archive:
        # One that has ended may refuse: it is not open, which is all that matters.
        requester.ask(operation(workflow_id, "terminate", reason="The workflow is removed"))
    operate(requester, workflow_id, "remove", archiveWorkflow=archive)
