"""Routes under /api/metadata/taskdefs: register, look at and forget task definitions (reference 5.1)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, answer, document, done
from engine.api.definitions import known_schemas, listed, register_tasks
from engine.api.warned import described, warned
from engine.clock import Clock
from engine.decider.validate import validate_task
from engine.errors import BadMessage, NotFound
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
    schemas = known_schemas(store)

    def checked(body: bytes, strict: bool) -> tuple[list[TaskDef], list[Json]]:
        given = document(body)
        # Clients send a list to POST and a single one to PUT; some do it the other way round.
        documents = [given] if isinstance(given, dict) else listed(given)
        if not documents:
            raise BadMessage("The list of task definitions is empty.")
        found = [validate_task(each, schemas, strict=strict) for each in documents]
        doubts = [doubt for each, warnings in found for doubt in described(warnings, name=each.name)]
        return [definition for definition, _ in found], doubts

    @router.post("")
    def create(body: RawBody, strict: bool = False) -> Response:
        """Store task definitions; those of the same name are replaced."""
        definitions, doubts = checked(body, strict)
        register_tasks(store, definitions, clock.now())
        return warned(done(), doubts)

    @router.post("/validate")
    def validate(body: RawBody, strict: bool = False) -> Response:
        """Check a task definition without storing it."""
        _, warnings = validate_task(document(body), schemas, strict=strict)
        return answer({"warnings": described(warnings)})

    @router.put("")
    def update(body: RawBody, strict: bool = False) -> Response:
        """Replace task definitions that are there; an unknown one is refused, and then nothing is stored."""
        definitions, doubts = checked(body, strict)
        names = [each.name for each in definitions]
        with store.transaction() as tx:
            known = tx.task_defs(names)
        for name in names:
            if name not in known:
                raise _unknown(name)
        register_tasks(store, definitions, clock.now())
        return warned(done(), doubts)

    @router.delete("/{name}")
    def forget(name: str) -> Response:
        """Forget a task definition; runs keep what they started with."""
        with store.transaction() as tx:
            known = tx.unregister_task(name)
        if not known:
            raise _unknown(name)
        return done()


def _reading(router: APIRouter, store: Store) -> None:
    @router.get("")
    def every_task() -> Response:
        """List every task definition."""
        with store.transaction() as tx:
            return answer([_shown(definition) for definition in tx.task_defs().values()])

    @router.get("/{name}")
    def task(name: str) -> Response:
        """Show a task definition."""
        with store.transaction() as tx:
            found = tx.task_defs([name]).get(name)
        if found is None:
            raise _unknown(name)
        return answer(_shown(found))


def _shown(definition: TaskDef) -> dict[str, Json]:
    """Return a definition as Conductor shows it: a rate that is not limited has numbers all the same."""
    starts, seconds = definition.rate_limit_per_frequency, definition.rate_limit_frequency_in_seconds
    rate = {"rateLimitPerFrequency": starts or 0, "rateLimitFrequencyInSeconds": 1 if seconds is None else seconds}
    return {**definition.to_json(), **rate}


def _unknown(name: str) -> NotFound:
    return NotFound(f"No task definition {name!r} is registered: 'baton definition list' shows those there are.")
