"""Starts a run for a client who waits for its id: an answer that does not come says how to ask once more."""

from __future__ import annotations

from msgspec.structs import replace

from engine.api.problem import granted
from engine.api.requester import Requester, Unanswered
from engine.errors import Transient
from engine.identifier import new_id
from engine.model.event import StartWorkflow


def started(requester: Requester, wanted: StartWorkflow) -> str:
    """Return the id of the run once it is stored; raise ``Unanswered`` where that is not known in time."""
    try:
        # Each call is an event of its own, also where several name one run: each gets an answer of its own.
        outcome = granted(requester.ask(replace(wanted, event_id=new_id())))
    except Transient as error:
        raise Unanswered(wanted.workflow_id, error) from error
    return str(outcome.result.get("workflowId") or wanted.workflow_id)
