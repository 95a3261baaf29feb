"""The calls of WorkflowService: runs are started, shown, searched for, and changed by way of their deciders."""

from __future__ import annotations

from collections.abc import Mapping

from engine.api import lifecycle, runs
from engine.api.grpc.call import Call, one
from engine.api.grpc.found import answered, asked_for
from engine.api.listing import correlated_runs, running_ids, texts
from engine.api.operating import operate
from engine.api.payload_routes import INPUT_PATH, with_payload
from engine.api.requester import Requester
from engine.api.searches import Searches
from engine.api.starting import further_run, started
from engine.identifier import new_id
from engine.model.payload import Json, JsonObject
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.start_message import read_start


class Workflows:
    """Answers as the routes under /api/workflow do; all of it blocks."""

    def __init__(self, store: Store, requester: Requester, searches: Searches, payloads: PayloadStorage | None) -> None:
        self._store = store
        self._requester = requester
        self._searches = searches
        self._payloads = payloads

    def calls(self) -> Mapping[str, Call]:
        """Return the calls by the names of their methods."""
        return {**self._looks(), **self._changes()}

    def _looks(self) -> Mapping[str, Call]:
        searches = self._searches
        return {
            "GetWorkflows": one(self._correlated),
            "GetWorkflowStatus": one(self._show),
            "GetRunningWorkflows": one(self._running),
            "Search": one(lambda asked: answered(searches.summaries(asked_for(asked)))),
            "SearchV2": one(lambda asked: answered(searches.runs(asked_for(asked)))),
            "SearchByTasks": one(lambda asked: answered(searches.summaries_by_tasks(asked_for(asked)))),
            "SearchByTasksV2": one(lambda asked: answered(searches.runs_by_tasks(asked_for(asked)))),
        }

    def _changes(self) -> Mapping[str, Call]:
        return {
            "StartWorkflow": one(self._start),
            "RemoveWorkflow": one(self._remove),
            "DecideWorkflow": self._verb("decide"),
            "PauseWorkflow": self._verb("pause"),
            "ResumeWorkflow": self._verb("resume"),
            "SkipTaskFromWorkflow": one(self._skip),
            "RerunWorkflow": one(self._rerun),
            "RestartWorkflow": self._verb("restart", "useLatestDefinitions"),
            "RetryWorkflow": self._verb("retry", "resumeSubworkflowTasks"),
            "ResetWorkflowCallbacks": self._verb("reset_callbacks"),
            "TerminateWorkflow": one(self._terminate),
        }

    def _verb(self, verb: str, *switches: str) -> Call:
        """Return the call that asks for an operation, with those of its switches that are on."""

        def ask(asked: JsonObject) -> JsonObject:
            arguments: dict[str, Json] = {name: asked.get(name, False) for name in switches}
            operate(self._requester, asked.get("workflowId", ""), verb, **arguments)
            return {}

        return one(ask)

    def _start(self, asked: JsonObject) -> JsonObject:
        wanted = with_payload(asked, INPUT_PATH, "input", self._payloads)
        start = further_run(self._store, read_start(wanted, new_id, subject="start request"))
        return {"workflowId": started(self._requester, start)}

    def _terminate(self, asked: JsonObject) -> JsonObject:
        operate(self._requester, asked.get("workflowId", ""), "terminate", reason=asked.get("reason"))
        return {}

    def _remove(self, asked: JsonObject) -> JsonObject:
        lifecycle.remove(self._requester, asked.get("workflodId", ""), archive=asked["archiveWorkflow"])
        return {}

    def _skip(self, asked: JsonObject) -> JsonObject:
        workflow_id, ref = asked.get("workflowId", ""), asked.get("taskReferenceName", "")
        lifecycle.skip(self._requester, workflow_id, ref, asked.get("request", {}))
        return {}

    def _rerun(self, asked: JsonObject) -> JsonObject:
        workflow_id = asked.get("reRunFromWorkflowId", "")
        lifecycle.rerun(self._requester, workflow_id, asked)
        return {"workflowId": workflow_id}

    def _show(self, asked: JsonObject) -> JsonObject:
        return runs.run_json(self._store, asked.get("workflowId", ""), include_tasks=asked.get("includeTasks", False))

    def _correlated(self, asked: JsonObject) -> JsonObject:
        name, closed, tasks = asked.get("name", ""), asked.get("includeClosed", False), asked.get("includeTasks", False)
        wanted = texts(asked.get("correlationId", []), "correlation_id")
        found = {each: correlated_runs(self._store, [name], each, closed, tasks) for each in wanted}
        return {"workflowsById": {each: {"workflows": shown} for each, shown in found.items()}}

    def _running(self, asked: JsonObject) -> JsonObject:
        times = asked.get("startTime"), asked.get("endTime")
        return {"workflowIds": running_ids(self._store, asked.get("name", ""), *times)}
