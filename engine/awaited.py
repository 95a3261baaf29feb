"""Which tasks wait for events from outside: written with the decisions that let them wait, or end."""

from __future__ import annotations

from collections.abc import Iterable

from engine.decider.decide import Decision
from engine.store.port import Transaction
from engine.store.webhook_port import Shape, Waiting, WaitingKey
from engine.wire.event_digest import event_digest


def keep_awaited(transaction: Transaction, stored: Iterable[Decision]) -> None:
    """Write down what the tasks of stored decisions wait for; without any nothing is written."""
    waiting: list[Waiting] = []
    ended: list[WaitingKey] = []
    for decision in stored:
        workflow = decision.workflow
        for seq, matches in decision.draft.awaited.items():
            if matches is None:
                ended.append((workflow.id, seq))
                continue
            shape = Shape(workflow=workflow.name, version=workflow.version, paths=tuple(sorted(matches)))
            digest = event_digest(workflow.name, workflow.version, matches)
            waiting.append(Waiting(workflow_id=workflow.id, seq=seq, digest=digest, shape=shape))
    if waiting:
        transaction.await_events(waiting)
    if ended:
        transaction.end_waiting(ended)
