"""The calls of TaskService that wait for nothing: reports, logs, a look at tasks and queues."""

from __future__ import annotations

from collections.abc import Mapping

from engine.api import queue_sizes, runs
from engine.api.grpc.call import Call, one
from engine.api.grpc.found import answered, asked_for
from engine.api.polling import queue_polled
from engine.api.reports import read_report
from engine.api.requester import Requester
from engine.api.searches import Searches
from engine.api.task_log_routes import add_log, log_of
from engine.clock import Clock
from engine.errors import BadMessage
from engine.model.payload import JsonObject
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.task_log import LONGEST_ENTRY, Entry


class Tasks:
    """Answers as the routes under /api/tasks do; all of it blocks."""

    def __init__(
        self,
        store: Store,
        requester: Requester,
        searches: Searches,
        clock: Clock,
        payloads: PayloadStorage | None,
    ) -> None:
        self._store = store
        self._requester = requester
        self._searches = searches
        self._clock = clock
        self._payloads = payloads

    def calls(self) -> Mapping[str, Call]:
        """Return the calls by the names of their methods."""
        store, requester, searches = self._store, self._requester, self._searches
        return {
            "UpdateTask": one(self._update),
            "AddLog": one(self._add_log),
            "GetTaskLogs": one(lambda asked: {"logs": log_of(store, asked.get("taskId", ""))}),
            "GetTask": one(lambda asked: {"task": runs.one_task_json(store, asked.get("taskId", ""))}),
            "GetQueueSizesForTasks": one(self._sizes),
            "GetQueueInfo": one(lambda _: {"queues": queue_sizes.ready_everywhere(store, requester)}),
            "GetQueueAllInfo": one(self._all_sizes),
            "Search": one(lambda asked: answered(searches.task_summaries(asked_for(asked)))),
            "SearchV2": one(lambda asked: answered(searches.tasks(asked_for(asked)))),
        }

    def _update(self, asked: JsonObject) -> JsonObject:
        result = asked.get("result", {})
        if "outputMessage" in result:
            raise BadMessage("output_message cannot be kept, for a run is JSON: send the output as output_data.")
        told = read_report(result, self._payloads)
        told.send(self._requester, self._store, self._clock)
        return {"taskId": told.arguments["taskId"]}

    def _add_log(self, asked: JsonObject) -> JsonObject:
        entry = asked.get("log", "")
        if not entry:
            raise BadMessage("The request has no log.")
        add_log(self._store, self._clock, asked.get("taskId", ""), [Entry(entry[:LONGEST_ENTRY])])
        return {}

    def _sizes(self, asked: JsonObject) -> JsonObject:
        queues = [queue_polled(each, None) for each in asked.get("taskTypes", ())]
        return {"queueForTask": queue_sizes.ready(self._requester, queues)}

    def _all_sizes(self, _: JsonObject) -> JsonObject:
        found = queue_sizes.everywhere_json(self._store, self._requester)
        return {"queues": {queue: {"shards": shards} for queue, shards in found.items()}}
