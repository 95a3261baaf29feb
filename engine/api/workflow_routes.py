"""Routes under /api/workflow: start runs, look at them, and ask for changes (reference 5.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from engine.api import runs
from engine.api.body import RawBody, answer, document, done, mapping
from engine.api.operating import failure_wanted, operate
from engine.api.payload_routes import INPUT_PATH, with_payload
from engine.api.requester import Requester
from engine.api.search import check_page
from engine.api.starting import further_run, started
from engine.identifier import new_id
from engine.model.event import StartWorkflow
from engine.model.payload import Json
from engine.model.request import Outcome
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Store
from engine.wire.start_message import read_start


def workflow_routes(store: Store, requester: Requester, payloads: PayloadStorage | None = None) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/workflow")
    _starting(router, store, requester, payloads)
    _looking(router, store)
    _changing(router, store, requester)
    return router


def _starting(router: APIRouter, store: Store, requester: Requester, payloads: PayloadStorage | None) -> None:
    def start(wanted: StartWorkflow) -> Response:
        return PlainTextResponse(started(requester, further_run(store, wanted)))

    @router.post("")
    def start_workflow(body: RawBody) -> Response:
        """Start a workflow; the answer is the id of the run, which can be read at once."""
        wanted = with_payload(document(body), INPUT_PATH, "input", payloads)
        return start(read_start(wanted, new_id, subject="start request"))

    @router.post("/{name}")
    def start_by_name(
        name: str,
        body: RawBody,
        version: int | None = None,
        correlation_id: Annotated[str | None, Query(alias="correlationId")] = None,
        priority: int = 0,
    ) -> Response:
        """Start a workflow by name; the body is its input."""
        wanted = {
            "name": name,
            "version": version,
            "correlationId": correlation_id,
            "priority": priority,
            "input": mapping(body),
        }
        return start(read_start(wanted, new_id, subject="start request"))


def _looking(router: APIRouter, store: Store) -> None:
    @router.get("/{workflow_id}")
    def show(
        workflow_id: str,
        include_tasks: Annotated[bool, Query(alias="includeTasks")] = True,
        include_payloads: Annotated[bool, Query(alias="includePayloads")] = True,
    ) -> Response:
        """Show a run with its tasks, also one that was archived; without payloads it has no inputs, outputs, variables.

        `summarize`, which Conductor's UI always sends, is not read: its page shows inputs and outputs.
        """
        if include_tasks and not include_payloads:
            return answer(runs.run_without_payloads(store, workflow_id))
        return answer(runs.run_json(store, workflow_id, include_tasks=include_tasks))

    @router.get("/{workflow_id}/tasks")
    def tasks(
        workflow_id: str,
        start: int = 0,
        count: int = 15,
        status: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        """Show a page of a run's tasks in the order of their scheduling, or of those in one of the statuses."""
        check_page(start, count)
        return answer(runs.task_page_json(store, workflow_id, status or (), start, count))

    @router.get("/{workflow_id}/status")
    def status(
        workflow_id: str,
        include_output: Annotated[bool, Query(alias="includeOutput")] = False,
        include_variables: Annotated[bool, Query(alias="includeVariables")] = False,
    ) -> Response:
        """Say how a run stands, without its tasks."""
        shown = runs.run_status_json(
            store, workflow_id, include_output=include_output, include_variables=include_variables
        )
        return answer(shown)


def _changing(router: APIRouter, store: Store, requester: Requester) -> None:
    def ask(workflow_id: str, verb: str, **arguments: Json) -> Outcome:
        return operate(requester, workflow_id, verb, **arguments)

    @router.put("/{workflow_id}/pause")
    def pause(workflow_id: str) -> Response:
        """Pause a run: nothing new is scheduled, what is under way may end."""
        ask(workflow_id, "pause")
        return done()

    @router.put("/{workflow_id}/resume")
    def resume(workflow_id: str) -> Response:
        """Let a paused run go on."""
        ask(workflow_id, "resume")
        return done()

    @router.post("/{workflow_id}/resetcallbacks")
    def reset_callbacks(workflow_id: str) -> Response:
        """Hand out at once what waits for a delay."""
        ask(workflow_id, "reset_callbacks")
        return done(204)

    @router.post("/{workflow_id}/variables")
    def update_variables(workflow_id: str, body: RawBody) -> Response:
        """Put the body over the variables of a run; the answer is the run (Orkes)."""
        ask(workflow_id, "update_variables", variables=mapping(body))
        return answer(runs.run_json(store, workflow_id, include_tasks=True))

    @router.post("/{workflow_id}/messages")
    def send_message(workflow_id: str, body: RawBody) -> Response:
        """Send a run a message for its PULL_WORKFLOW_MESSAGES; the answer is the message's id."""
        return PlainTextResponse(str(ask(workflow_id, "send_message", payload=mapping(body)).result["messageId"]))

    @router.delete("/{workflow_id}")
    def terminate(
        workflow_id: str,
        reason: str | None = None,
        failure: Annotated[bool, Query(alias="triggerFailureWorkflow")] = False,
    ) -> Response:
        """Terminate a run, and the runs that it waits for; on demand its failure workflow is started."""
        ask(workflow_id, "terminate", reason=reason, **failure_wanted(failure))
        return done()

    @router.post("/{workflow_id}/retry")
    def retry(
        workflow_id: str, resume_children: Annotated[bool, Query(alias="resumeSubworkflowTasks")] = False
    ) -> Response:
        """Give every task that failed a further attempt."""
        ask(workflow_id, "retry", resumeSubworkflowTasks=resume_children)
        return done(204)
