"""Alerts of runs and tasks that are late, as the road's own log tells them."""

from __future__ import annotations

from collections.abc import Iterable

from engine.decider.decide import Decision
from engine.log import get_logger
from engine.model.command import Alert

log = get_logger(__name__)


def log_alerts(stored: Iterable[Decision]) -> int:
    """Log every alert of decisions that have been stored; return how many there were."""
    count = 0
    for decision in stored:
        for commands in decision.commands.values():
            for command in commands:
                if isinstance(command, Alert):
                    _log(decision, command)
                    count += 1
    return count


def _log(decision: Decision, alert: Alert) -> None:
    workflow, task = decision.workflow, decision.draft.tasks.get(alert.seq)
    if task is None:
        log.warning("workflow.late", workflow_id=workflow.id, name=workflow.name, reason=alert.reason)
    else:
        log.warning("task.late", task_id=task.id, ref=task.ref, name=task.name, reason=alert.reason)
