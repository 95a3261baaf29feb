"""Runs and their tasks: loaded whole, saved only over the version that was loaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, insert, select

from engine.model.execution import NEVER
from engine.model.request import Outcome, Request
from engine.store.batch import Batch
from engine.store.codec import decode, encode, storable
from engine.store.port import LoggedRequest, Rows, Save
from engine.store.records import TASK, WORKFLOW
from engine.store.schema import request_log


class Executions:
    """The part of a transaction that keeps runs."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        """See ``Transaction.load``."""
        if not workflow_ids:
            return {}
        wanted = [storable(each) for each in workflow_ids]
        names = WORKFLOW.names if payloads else WORKFLOW.small_names
        workflows = WORKFLOW.read(self._batch.load(self._connection, WORKFLOW.table, names, wanted), names)
        if not workflows:
            return {}
        found = [workflow.id for workflow in workflows]
        names = TASK.names if payloads else TASK.small_names
        tasks = TASK.read(self._batch.load(self._connection, TASK.table, names, found), names)
        by_workflow = {key: tuple(group) for key, group in groupby(tasks, attrgetter("workflow_id"))}
        return {workflow.id: Rows(workflow, by_workflow.get(workflow.id, ())) for workflow in workflows}

    def save(self, saves: Sequence[Save]) -> set[str]:
        """See ``Transaction.save``."""
        # In one order everywhere: two deciders that meet in the same rows then wait, and do not lock each other out.
        ordered = sorted(saves, key=lambda save: save.workflow.id)
        connection, batch = self._connection, self._batch
        written: set[str] = set()
        new = [save.workflow for save in ordered if save.loaded_version is None]
        if new:
            written |= batch.insert_workflows(connection, new)
        existing = [save for save in ordered if save.loaded_version is not None]
        if existing:
            written |= batch.update_workflows(connection, existing)
        won = [save for save in ordered if save.workflow.id in written]
        inserted = [task for save in won for task in save.inserted]
        if inserted:
            batch.insert_tasks(connection, inserted)
        updated = [(task, save.tasks_before.get(task.seq)) for save in won for task in save.updated]
        if updated:
            batch.update_tasks(connection, [task for task, _ in updated], [before for _, before in updated])
        return written

    def log_requests(self, lines: Sequence[LoggedRequest]) -> None:
        """See ``Transaction.log_requests``."""
        if lines:
            self._connection.execute(insert(request_log), [_line(each) for each in lines])

    def requests(self, workflow_id: str) -> tuple[LoggedRequest, ...]:
        """See ``Transaction.requests``."""
        columns = request_log.c
        query = select(
            columns.event_id, columns.verb, columns.arguments, columns.asked_by,
            columns.granted, columns.code, columns.message, columns.result, columns.at,
        ).where(columns.workflow_id == storable(workflow_id)).order_by(columns.id)  # fmt: skip
        return tuple(
            LoggedRequest(
                Request(event_id=event, workflow_id=workflow_id, verb=verb, arguments=decode(arguments), by=by),
                Outcome(granted=bool(granted), code=code, message=message, result=decode(result)),
                at,
            )
            for event, verb, arguments, by, granted, code, message, result, at in self._connection.execute(query)
        )


def _line(line: LoggedRequest) -> dict[str, object]:
    request, outcome = line.request, line.outcome
    return {
        "workflow_id": storable(request.workflow_id),
        "event_id": storable(request.event_id),
        "at": line.at or NEVER,
        "verb": storable(request.verb),
        "arguments": encode(request.arguments),
        "asked_by": None if request.by is None else storable(request.by),
        "granted": outcome.granted,
        "code": outcome.code,
        "message": storable(outcome.message),
        "result": encode(outcome.result),
    }
