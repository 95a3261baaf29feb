"""Routes under /api/metadata: register, look at and forget definitions (reference 5.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, Version, answer, document, done
from engine.api.definitions import register, register_tasks
from engine.api.warned import described, warned
from engine.clock import Clock
from engine.decider.named_schema import FindSchemas
from engine.decider.validate import validate_task, validate_workflow
from engine.errors import BadDefinition, BadMessage, NotFound
from engine.model.definition import TaskDef
from engine.model.payload import Json
from engine.model.schema_def import SchemaDef, SchemaKey
from engine.store.port import Store

#: Definitions in one request; each is checked and stored while the caller waits.
_MOST_DEFINITIONS = 1_000


def definition_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/metadata")
    _writing_workflows(router, store, clock)
    _reading_workflows(router, store)
    _writing_tasks(router, store, clock)
    _reading_tasks(router, store)
    return router


def _writing_workflows(router: APIRouter, store: Store, clock: Clock) -> None:
    def known(names: Collection[str]) -> Mapping[str, TaskDef]:
        with store.transaction() as tx:
            return tx.task_defs(names)

    schemas = _schemas(store)

    @router.post("/workflow")
    def create(body: RawBody, overwrite: bool = False, strict: bool = False) -> Response:
        definition, warnings = validate_workflow(document(body), known, schemas, missing=True, strict=strict)
        register(store, definition, clock.now(), overwrite=overwrite)
        return warned(done(), described(warnings))

    @router.put("/workflow")
    def put(body: RawBody, strict: bool = False) -> Response:
        good: list[str] = []
        bad: dict[str, str] = {}
        doubts: list[Json] = []
        for number, each in enumerate(_listed(document(body))):
            name = str(each.get("name") or f"[{number}]") if isinstance(each, dict) else f"[{number}]"
            try:
                definition, warnings = validate_workflow(each, known, schemas, missing=True, strict=strict)
                register(store, definition, clock.now(), overwrite=True)
                good.append(name)
                doubts += described(warnings, name=name)
            except BadDefinition as error:
                bad[name] = str(error)
        return warned(answer({"bulkErrorResults": bad, "bulkSuccessfulResults": good}), doubts)

    @router.post("/workflow/validate")
    def validate(body: RawBody, strict: bool = False) -> Response:
        _, warnings = validate_workflow(document(body), known, schemas, missing=True, strict=strict)
        return answer({"warnings": described(warnings)})

    @router.delete("/workflow/{name}/{version}")
    def forget(name: str, version: Version) -> Response:
        with store.transaction() as tx:
            known = tx.unregister_workflow(name, version)
        if not known:
            raise _unknown_workflow(name, version)
        return done()


def _reading_workflows(router: APIRouter, store: Store) -> None:
    @router.get("/workflow")
    def every_workflow() -> Response:
        with store.transaction() as tx:
            return answer([definition.to_json() for definition in tx.workflow_defs()])

    @router.get("/workflow/{name}")
    def workflow(name: str, version: Version | None = None) -> Response:
        with store.transaction() as tx:
            found = tx.workflow_def(name, version)
        if found is None:
            raise _unknown_workflow(name, version)
        return answer(found.to_json())

    @router.get("/workflow/{name}/versions")
    def versions(name: str) -> Response:
        with store.transaction() as tx:
            found = [definition for definition in tx.workflow_defs() if definition.name == name]
        return answer(
            [
                {
                    "name": each.name,
                    "version": each.version,
                    "createTime": each.create_time,
                    "updateTime": each.update_time,
                }
                for each in found
            ]
        )


def _schemas(store: Store) -> FindSchemas:
    def known(keys: Collection[SchemaKey]) -> Mapping[SchemaKey, SchemaDef]:
        with store.transaction() as tx:
            return tx.schemas(keys)

    return known


def _writing_tasks(router: APIRouter, store: Store, clock: Clock) -> None:
    schemas = _schemas(store)

    @router.post("/taskdefs")
    def create(body: RawBody, strict: bool = False) -> Response:
        documents = _listed(document(body))
        if not documents:
            raise BadMessage("The list of task definitions is empty.")
        checked = [validate_task(each, schemas, strict=strict) for each in documents]
        register_tasks(store, [definition for definition, _ in checked], clock.now())
        return warned(done(), [doubt for each, found in checked for doubt in described(found, name=each.name)])

    @router.post("/taskdefs/validate")
    def validate(body: RawBody, strict: bool = False) -> Response:
        _, warnings = validate_task(document(body), schemas, strict=strict)
        return answer({"warnings": described(warnings)})

    @router.put("/taskdefs")
    def update(body: RawBody, strict: bool = False) -> Response:
        definition, warnings = validate_task(document(body), schemas, strict=strict)
        with store.transaction() as tx:
            known = tx.task_defs([definition.name])
        if not known:
            raise _unknown_task(definition.name)
        register_tasks(store, [definition], clock.now())
        return warned(done(), described(warnings))

    @router.delete("/taskdefs/{name}")
    def forget(name: str) -> Response:
        with store.transaction() as tx:
            known = tx.unregister_task(name)
        if not known:
            raise _unknown_task(name)
        return done()


def _reading_tasks(router: APIRouter, store: Store) -> None:
    @router.get("/taskdefs")
    def every_task() -> Response:
        with store.transaction() as tx:
            return answer([definition.to_json() for definition in tx.task_defs().values()])

    @router.get("/taskdefs/{name}")
    def task(name: str) -> Response:
        with store.transaction() as tx:
            found = tx.task_defs([name]).get(name)
        if found is None:
            raise _unknown_task(name)
        return answer(found.to_json())


def _listed(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise BadMessage("The body must be a list of definitions: [{…}].")
    if len(value) > _MOST_DEFINITIONS:
        raise BadMessage(f"The list has {len(value):,} definitions: send at most {_MOST_DEFINITIONS:,} at a time.")
    return value


def _unknown_workflow(name: str, version: int | None) -> NotFound:
    which = f"version {version}" if version is not None else "any version"
    return NotFound(f"No workflow {name!r} is registered in {which}: 'baton definition list' shows those there are.")


def _unknown_task(name: str) -> NotFound:
    return NotFound(f"No task definition {name!r} is registered: 'baton definition list' shows those there are.")
