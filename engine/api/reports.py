"""A worker's report on a task: read from a TaskResult, carried out by a decider, and its log kept."""

from __future__ import annotations

from msgspec import Struct

from engine.api.payload_routes import OUTPUT_PATH, with_payload
from engine.api.problem import granted
from engine.api.requester import Requester
from engine.api.task_log_routes import add_log
from engine.clock import Clock
from engine.errors import NotFound
from engine.identifier import new_id
from engine.model.payload import Json
from engine.model.request import Outcome, Request
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.conductor import read_task_result
from engine.wire.task_log import read_logs


class Report(Struct, frozen=True):
    """What is asked of the decider, and what goes into the task's log."""

    workflow_id: str
    arguments: dict[str, Json]
    logs: list[str]

    def send(self, requester: Requester, store: Store, clock: Clock, *, then_polls: bool = False) -> Outcome:
        """Have the report carried out and return the outcome; raises ``Declined`` when it is refused.

        With ``then_polls`` the outcome names the task's queue.
        """
        arguments = {**self.arguments, "thenPolls": True} if then_polls else self.arguments
        request = Request(event_id=new_id(), workflow_id=self.workflow_id, verb="update_task", arguments=arguments)
        outcome = granted(requester.ask(request))
        if self.logs:
            self._keep_log(store, clock)
        return outcome

    def _keep_log(self, store: Store, clock: Clock) -> None:
        try:
            add_log(store, clock, str(self.arguments["taskId"]), self.logs)
        except NotFound:
            # An operator has taken the task out of the flow meanwhile: the report stands all the same.
            return


def read_report(document: Json, payloads: PayloadStorage | None) -> Report:
    """Read a TaskResult; raise ``BadMessage`` naming what is wrong, ``NotFound`` for an output that is not there."""
    logs = read_logs(document)
    workflow_id, arguments = read_task_result(with_payload(document, OUTPUT_PATH, "outputData", payloads))
    return Report(workflow_id, arguments, logs)
