"""Starts a run for a client who waits for its id: an answer that does not come says how to ask once more."""

from __future__ import annotations

from msgspec.structs import replace

from engine.api.problem import granted
from engine.api.requester import Requester, Unanswered
from engine.errors import Transient
from engine.identifier import new_id
from engine.model.event import StartWorkflow
from engine.store.port import Store
from engine.wire.start_message import FAIL_ON_RUNNING, derived_id


def started(requester: Requester, wanted: StartWorkflow) -> str:
    """Return the id of the run once it is stored; raise ``Unanswered`` where that is not known in time."""
    try:
        # Each call is an event of its own, also where several name one run: each gets an answer of its own.
        outcome = granted(requester.ask(replace(wanted, event_id=new_id())))
    except Transient as error:
        raise Unanswered(wanted.workflow_id, error) from error
    return str(outcome.result.get("workflowId") or wanted.workflow_id)


def further_run(store: Store, wanted: StartWorkflow) -> StartWorkflow:
    """Return a start with the id of a further run: its strategy minds only runs that go on, and the last has ended.

    That id follows from the run before, so whoever asks at the same time asks for the same run.
    """
    key, name = wanted.idempotency_key, wanted.name
    if not key or wanted.idempotency_strategy != FAIL_ON_RUNNING or wanted.workflow_id != derived_id("key", name, key):
        return wanted
    with store.transaction() as tx:
        last = tx.last_run_by_key(name, key)
    if last is None:
        return wanted
    return replace(wanted, workflow_id=last.id if last.status.is_open else derived_id("key", name, key, last.id))
