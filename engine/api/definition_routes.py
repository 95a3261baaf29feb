"""Routes under /api/metadata/workflow: register, look at and forget workflow definitions (reference 5.1)."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, Version, answer, document, done
from engine.api.definitions import checked_workflow, find_workflow, listed, put_workflows, register, unknown_workflow
from engine.api.warned import described, warned
from engine.clock import Clock
from engine.model.definition import WorkflowDef
from engine.model.payload import Json
from engine.store.port import Store


def definition_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/metadata/workflow", tags=["metadata"])
    _writing(router, store, clock)
    _listing(router, store)
    _reading(router, store)
    return router


def _writing(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.post("")
    def create(body: RawBody, overwrite: bool = False, strict: bool = False) -> Response:
        """Register a definition; a version that exists is replaced only with `overwrite`."""
        definition, warnings = checked_workflow(store, document(body), strict=strict)
        register(store, definition, clock.now(), overwrite=overwrite)
        return warned(done(), described(warnings))

    @router.put("")
    def put(body: RawBody, strict: bool = False) -> Response:
        """Create or replace definitions; good ones are stored, and each bad one is reported."""
        stored = put_workflows(store, listed(document(body)), clock.now(), strict=strict)
        return warned(answer({"bulkErrorResults": stored.bad, "bulkSuccessfulResults": stored.good}), stored.doubts)

    @router.post("/validate")
    def validate(body: RawBody, strict: bool = False) -> Response:
        """Check a definition without storing it; every mistake is listed with its path."""
        _, warnings = checked_workflow(store, document(body), strict=strict)
        return answer({"warnings": described(warnings)})

    @router.delete("/{name}/{version}")
    def forget(name: str, version: Version) -> Response:
        """Forget one version; runs keep what they started with."""
        with store.transaction() as tx:
            known = tx.unregister_workflow(name, version)
        if not known:
            raise unknown_workflow(name, version)
        return done()


def _listing(router: APIRouter, store: Store) -> None:
    @router.get("")
    def every_workflow(short: bool = False, classifier: str | None = None) -> Response:
        """List every version of every definition; ``short`` leaves the steps out, which is most of a long list."""
        found = _of_kind(_all(store), classifier)
        return answer([_short(each) if short else each.to_json() for each in found])

    @router.get("/names")
    def names() -> Response:
        """List the names that are registered."""
        return answer(list(dict.fromkeys(each.name for each in _all(store))))

    @router.get("/names-and-versions")
    def names_and_versions() -> Response:
        """List the versions of each name, without the definitions."""
        found: dict[str, list[Json]] = {}
        for each in _all(store):
            found.setdefault(each.name, []).append(_version(each))
        return answer(found)

    @router.get("/latest-versions")
    def latest_versions(short: bool = False, classifier: str | None = None) -> Response:
        """List the latest version of each definition."""
        latest = {each.name: each for each in _all(store)}
        return answer([_short(each) if short else each.to_json() for each in _of_kind(latest.values(), classifier)])


def _reading(router: APIRouter, store: Store) -> None:
    @router.get("/{name}")
    def workflow(name: str, version: Version | None = None) -> Response:
        """Show a definition; without a version the latest."""
        return answer(find_workflow(store, name, version).to_json())

    @router.get("/{name}/versions")
    def versions(name: str) -> Response:
        """List the versions of one definition; of an unknown one there are none."""
        with store.transaction() as tx:
            return answer([_version(each) for each in tx.workflow_defs(name)])


def _all(store: Store) -> tuple[WorkflowDef, ...]:
    with store.transaction() as tx:
        return tx.workflow_defs()


def _of_kind(definitions: Iterable[WorkflowDef], classifier: str | None) -> list[WorkflowDef]:
    wanted = {each.strip() for each in (classifier or "").split(",")} - {""}
    return [each for each in definitions if not wanted or each.classifier in wanted]


def _short(definition: WorkflowDef) -> Json:
    # The list stays, empty: pages of clients walk through it.
    return {**definition.to_json(), "tasks": []}


def _version(definition: WorkflowDef) -> Json:
    return {
        "name": definition.name,
        "version": definition.version,
        "createTime": definition.create_time,
        "updateTime": definition.update_time,
    }
