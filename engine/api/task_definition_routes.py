"""Routes under /api/metadata/taskdefs: register, look at and forget task definitions (reference 5.1)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, answer, document, done
from engine.api.definitions import known_schemas, listed, register_tasks
from engine.api.task_definitions import checked_tasks, forget_task, replace_tasks, shown, task_definition_json
from engine.api.warned import described, warned
from engine.clock import Clock
from engine.decider.validate import validate_task
from engine.model.definition import TaskDef
from engine.model.payload import Json
from engine.store.port import Store


def task_definition_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/metadata/taskdefs", tags=["metadata"])
    _writing(router, store, clock)
    _reading(router, store)
    return router


def _writing(router: APIRouter, store: Store, clock: Clock) -> None:
    def checked(body: bytes, strict: bool) -> tuple[list[TaskDef], list[Json]]:
        given = document(body)
        # Clients send a list to POST and a single one to PUT; some do it the other way round.
        return checked_tasks(store, [given] if isinstance(given, dict) else listed(given), strict=strict)

    @router.post("")
    def create(body: RawBody, strict: bool = False) -> Response:
        """Store task definitions; those of the same name are replaced."""
        definitions, doubts = checked(body, strict)
        register_tasks(store, definitions, clock.now())
        return warned(done(), doubts)

    @router.post("/validate")
    def validate(body: RawBody, strict: bool = False) -> Response:
        """Check a task definition without storing it."""
        _, warnings = validate_task(document(body), known_schemas(store), strict=strict)
        return answer({"warnings": described(warnings)})

    @router.put("")
    def update(body: RawBody, strict: bool = False) -> Response:
        """Replace task definitions that are there; an unknown one is refused, and then nothing is stored."""
        definitions, doubts = checked(body, strict)
        replace_tasks(store, definitions, clock.now())
        return warned(done(), doubts)

    @router.delete("/{name}")
    def forget(name: str) -> Response:
        """Forget a task definition; runs keep what they started with."""
        forget_task(store, name)
        return done()


def _reading(router: APIRouter, store: Store) -> None:
    @router.get("")
    def every_task() -> Response:
        """List every task definition."""
        with store.transaction() as tx:
            return answer([shown(definition) for definition in tx.task_defs().values()])

    @router.get("/{name}")
    def task(name: str) -> Response:
        """Show a task definition."""
        return answer(task_definition_json(store, name))
