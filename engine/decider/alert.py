"""Timeouts that only alert: their date is told to whoever listens, once, and nothing ends (Conductor 4.5)."""

from __future__ import annotations

from engine.clock import Instant
from engine.decider.deadline import deadlines, only_alerts, run_timeout_reason, timeout_reason, workflow_deadline
from engine.decider.draft import Draft
from engine.model.command import Alert
from engine.model.definition import WorkflowTimeoutPolicy
from engine.model.execution import NEVER


def alert(draft: Draft, since: Instant) -> None:
    """Tell of every date that was reached from ``since`` on, the run's ``wake_at`` before this look, until now.

    ``wake_at`` is at or before the next date of anything in the run, so what lies before it has been told.
    """
    if since == NEVER:
        return
    at = workflow_deadline(draft)
    if since <= at <= draft.now and draft.definition.timeout_policy is WorkflowTimeoutPolicy.ALERT_ONLY:
        draft.command(Alert(0, run_timeout_reason(draft)))
    for seq in draft.open:
        task = draft.tasks[seq]
        for deadline in deadlines(draft, task):
            if since <= deadline.at <= draft.now and only_alerts(draft, task, deadline):
                draft.command(Alert(seq, timeout_reason(draft, task, deadline.kind)))
