"""tell_parent: a task that waits for this run again asks how it has ended, should it have ended already."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.operations.desk import Desk, granted


def operate(desk: Desk, request: Request) -> Outcome:
    """Send the news of the end another time; a run that goes on will send it when it ends."""
    if desk.workflow.status.is_terminal:
        desk.tell_parent_again(request)
    return granted()
