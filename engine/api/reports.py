"""A worker's report on a task: read from a TaskResult, carried out by a decider, and its log kept."""

from __future__ import annotations

from msgspec import Struct

from engine.api.operating import operate
from engine.api.payload_routes import OUTPUT_PATH, with_payload
from engine.api.requester import Requester
from engine.api.task_log_routes import add_log
from engine.clock import Clock
from engine.errors import BadMessage, NotFound
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.conductor import REPORTABLE, read_task_result
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
        outcome = operate(requester, self.workflow_id, "update_task", **arguments)
        if self.logs:
            self._keep_log(store, clock)
        return outcome

    def _keep_log(self, store: Store, clock: Clock) -> None:
        try:
            add_log(store, clock, str(self.arguments["taskId"]), self.logs)
        except NotFound:
            # An operator has taken the task out of the flow meanwhile: the report stands all the same.
            return


def report(requester: Requester, workflow_id: str, status: str, output: JsonObject, **named: Json) -> Outcome:
    """Report on the task that ``taskId`` or ``ref`` names and return the outcome; the status stood in a path.

    Raises ``BadMessage`` for a status that cannot be reported, ``Declined`` when the report is refused.
    """
    return operate(requester, workflow_id, "update_task", **named, status=reportable(status), output=output)


def reportable(status: str) -> str:
    """Return the status in a path if it can be reported; raise ``BadMessage`` for any other."""
    known = [each.value for each in REPORTABLE]
    if status not in known:
        raise BadMessage(f"A task cannot be reported as {status!r}: use one of {', '.join(known)}.")
    return status


def read_report(document: Json, payloads: PayloadStorage | None) -> Report:
    """Read a TaskResult; raise ``BadMessage`` naming what is wrong, ``NotFound`` for an output that is not there."""
    logs = read_logs(document)
    workflow_id, arguments = read_task_result(with_payload(document, OUTPUT_PATH, "outputData", payloads))
    return Report(workflow_id, arguments, logs)
