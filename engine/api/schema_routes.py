"""Routes under /api/schema: schemas that definitions name (Orkes, and Conductor after 3.32)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from engine.api.body import RawBody, Version, answer, document, done
from engine.api.schemas import check_schema, register_schemas
from engine.clock import Clock
from engine.errors import BadMessage, NotFound
from engine.model.schema_def import SchemaDef
from engine.store.port import Store

#: Schemas in one request; each is checked while the caller waits.
_MOST_SCHEMAS = 1_000


def schema_routes(store: Store, clock: Clock) -> APIRouter:
    """Return the routes; all of them block, so they run in the server's thread pool."""
    router = APIRouter(prefix="/api/schema")
    _writing(router, store, clock)
    _reading(router, store)
    return router


def _writing(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.post("")
    def save(body: RawBody, newVersion: bool = False) -> Response:  # noqa: N803  the name that clients send
        """Register one schema or a list; with `newVersion` under the next free number."""
        given = document(body)
        documents = given if isinstance(given, list) else [given]
        if not documents:
            raise BadMessage("The list of schemas is empty.")
        if len(documents) > _MOST_SCHEMAS:
            raise BadMessage(f"The list has {len(documents):,} schemas: send at most {_MOST_SCHEMAS:,} at a time.")
        register_schemas(store, [check_schema(each) for each in documents], clock.now(), new_version=newVersion)
        return done()

    @router.delete("/{name}")
    def forget_all(name: str) -> Response:
        """Forget every version of a schema."""
        with store.transaction() as tx:
            known = tx.drop_schemas(name)
        if not known:
            raise _unknown(name, None)
        return done()

    @router.delete("/{name}/{version}")
    def forget(name: str, version: Version) -> Response:
        """Forget one version of a schema."""
        with store.transaction() as tx:
            known = tx.drop_schemas(name, version)
        if not known:
            raise _unknown(name, version)
        return done()


def _reading(router: APIRouter, store: Store) -> None:
    @router.get("")
    def every(short: bool = False) -> Response:
        """List every version of every schema."""
        with store.transaction() as tx:
            found = list(tx.schemas().values())
        if short:
            found = [SchemaDef(name=each.name, version=each.version, type=each.type) for each in found]
        return answer([each.to_json() for each in found])

    @router.get("/{name}")
    def latest(name: str) -> Response:
        """Show the latest version of a schema."""
        with store.transaction() as tx:
            return answer(_known(tx.latest_schema(name), name, None).to_json())

    @router.get("/{name}/{version}")
    def one(name: str, version: Version) -> Response:
        """Show one version of a schema."""
        with store.transaction() as tx:
            return answer(_known(tx.schemas([(name, version)]).get((name, version)), name, version).to_json())


def _known(found: SchemaDef | None, name: str, version: int | None) -> SchemaDef:
    if found is None:
        raise _unknown(name, version)
    return found


def _unknown(name: str, version: int | None) -> NotFound:
    which = f"version {version}" if version is not None else "any version"
    return NotFound(f"No schema {name!r} is registered in {which}: 'baton schema list' shows those there are.")
