"""Runs and their tasks: loaded whole, saved only over the version that was loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

from sqlalchemy import insert, select

from engine.model.execution import NEVER, Task, Workflow
from engine.model.request import Outcome, Request
from engine.store.codec import decode, encode, storable
from engine.store.history import History
from engine.store.port import LoggedRequest, Rows, Save
from engine.store.records import TASK, WORKFLOW, Record
from engine.store.schema import request_log

_R = TypeVar("_R", Workflow, Task)


class Executions(History):
    """The part of a transaction that keeps runs."""

    def load(self, workflow_ids: Collection[str], *, payloads: bool = True) -> dict[str, Rows]:
        """See ``Transaction.load``."""
        if not workflow_ids:
            return {}
        wanted = [storable(each) for each in workflow_ids]
        workflows, sizes = self._read(WORKFLOW, wanted, payloads=payloads)
        if not workflows:
            return {}
        tasks, sizes_of_tasks = self._read(TASK, [workflow.id for workflow in workflows], payloads=payloads)
        by_workflow = {key: tuple(group) for key, group in groupby(tasks, attrgetter("workflow_id"))}
        found = (
            Rows(workflow, by_workflow.get(workflow.id, ()), sizes[workflow.id] + sizes_of_tasks[workflow.id])
            for workflow in workflows
        )
        return {rows.workflow.id: self._outside.returned(rows) for rows in found}

    def _read(
        self, record: Record[_R], workflow_ids: Sequence[str], *, payloads: bool
    ) -> tuple[list[_R], Mapping[str, int]]:
        """Return the records of these runs, and how large the payloads of each run are in them."""
        names = record.names if payloads else record.small_names
        found: list[_R] = []
        sizes: Counter[str] = Counter()
        for rows in self._batch.load(self._connection, record.table, names, workflow_ids):
            found += record.read(rows, names)
            sizes += record.payload_bytes(rows if payloads else ())
        return found, sizes

    def save(self, saves: Sequence[Save], *, last: bool = False) -> set[str]:
        """See ``Transaction.save``."""
        # In one order everywhere: two deciders that meet in the same rows then wait, and do not lock each other out.
        ordered = sorted(self._outside.moved(saves), key=lambda save: save.workflow.id)
        more = any(save.forgotten or save.earlier or save.removed for save in ordered)
        written = self._batch.save(self._connection, ordered, last=last and not more)
        won = [save for save in ordered if save.workflow.id in written]
        self.forget((save.workflow.id, seq) for save in won for seq in save.forgotten)
        self.put_aside(save.earlier for save in won if save.earlier is not None)
        self.remove(save.removed for save in won if save.removed is not None)
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
