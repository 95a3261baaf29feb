"""decide: a run is looked at afresh from its rows, and goes on from wherever they show it to be (Conductor 4.10)."""

from __future__ import annotations

from engine.model.request import Outcome, Request
from engine.model.status import WorkflowStatus
from engine.operations.desk import Desk, granted


def operate(desk: Desk, request: Request) -> Outcome:
    """Evaluate a running run; for any other there is nothing to decide, which is no fault of the asker."""
    if desk.workflow.status is WorkflowStatus.RUNNING:
        desk.look_afresh()
        desk.go_on()
    return granted()
