"""Asks a decider for an operation on one run, for every route that changes one."""

from __future__ import annotations

from engine.api.problem import granted
from engine.api.requester import Requester
from engine.identifier import new_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request


def operation(workflow_id: str, verb: str, **arguments: Json) -> Request:
    """Return a request of its own for an operation."""
    return Request(event_id=new_id(), workflow_id=workflow_id, verb=verb, arguments=arguments)


def operate(requester: Requester, workflow_id: str, verb: str, **arguments: Json) -> Outcome:
    """Have an operation carried out and return its outcome; raises ``Declined`` when it is refused."""
    return granted(requester.ask(operation(workflow_id, verb, **arguments)))


def failure_wanted(wanted: bool) -> dict[str, Json]:
    """Return the arguments with which a run that is terminated has its failure workflow started, if that is wanted."""
    return {"triggerFailureWorkflow": True} if wanted else {}
