"""A worker's report on a task: read from a TaskResult, carried out by a decider, and its log kept."""

from __future__ import annotations

from msgspec import Struct

from engine.api.operating import operate, operation
from engine.api.payload_routes import OUTPUT_PATH, with_payload
from engine.api.problem import granted
from engine.api.requester import Requester, expect_possible, signed
from engine.api.task_log_routes import add_log
from engine.clock import Clock
from engine.errors import BadMessage, NotFound
from engine.model.payload import Json, JsonObject
from engine.model.request import Outcome, Request
from engine.model.status import TaskStatus
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.conductor import REPORTABLE, read_task_result
from engine.wire.task_log import Entry, read_logs


class Report(Struct, frozen=True):
    """What is asked of the decider, and what goes into the task's log."""

    workflow_id: str
    arguments: dict[str, Json]
    logs: list[Entry]

    @property
    def task_id(self) -> str:
        """The task that is reported on."""
        return str(self.arguments["taskId"])

    @property
    def worker(self) -> str | None:
        """Who reports."""
        worker = self.arguments["workerId"]
        return None if worker is None else str(worker)

    @property
    def ends_its_task(self) -> bool:
        """Whether the task has ended, by what the worker says: else it goes on with this one."""
        return self.arguments["status"] != TaskStatus.IN_PROGRESS and not self.arguments["extendLease"]

    def request(self, *, then_polls: bool = False) -> Request:
        """Return what the decider is asked; with ``then_polls`` the outcome names the task's queue.

        Raises ``NotFound`` for a run that there cannot be.
        """
        expect_possible(self.workflow_id)
        arguments = {**self.arguments, "thenPolls": True} if then_polls else self.arguments
        return signed(operation(self.workflow_id, "update_task", **arguments))

    def send(self, requester: Requester, store: Store, clock: Clock) -> Outcome:
        """Have the report carried out and return the outcome; raises ``Declined`` when it is refused."""
        outcome = granted(requester.ask(self.request()))
        if self.logs:
            self.keep_log(store, clock)
        return outcome

    def keep_log(self, store: Store, clock: Clock) -> None:
        """Append what the worker has logged to the log of the task."""
        try:
            add_log(store, clock, self.task_id, self.logs)
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


def has_to_be_fetched(document: Json) -> bool:
    """Whether a TaskResult names the place of its output only, so that reading it takes a while."""
    return isinstance(document, dict) and bool(document.get(OUTPUT_PATH))
