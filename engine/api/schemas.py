"""Registers schemas: straight into the store, because they are no run's state."""

from __future__ import annotations

from collections.abc import Sequence

from engine.clock import Instant, milliseconds
from engine.errors import BadDefinition, Fault
from engine.expression.json_schema import schema_fault
from engine.model.definition import read
from engine.model.payload import Json
from engine.model.schema_def import SchemaDef, SchemaKind
from engine.store.port import Store, Transaction
from engine.wire.fields import TEXT_LIMIT


def check_schema(document: Json) -> SchemaDef:
    """Read a schema; raises ``BadDefinition`` with every mistake in it."""
    name = document.get("name") if isinstance(document, dict) else None
    subject = f"Schema {name[:TEXT_LIMIT] if isinstance(name, str) else None!r}"
    schema, shape = read(SchemaDef, document, subject)
    faults = list(shape)
    if not schema.name.strip() or "/" in schema.name or "\0" in schema.name:
        faults.append(Fault("name", "a schema needs a name, without / and NUL: it is a part of its address"))
    elif len(schema.name) > TEXT_LIMIT:
        faults.append(Fault("name", f"has {len(schema.name)} characters; the limit is {TEXT_LIMIT}"))
    complaint = schema_fault(schema.data) if schema.data is not None and schema.type is SchemaKind.JSON else None
    if complaint is not None:
        faults.append(Fault("data", f"not a JSON Schema that can be used: {complaint}"))
    if faults:
        raise BadDefinition(subject, faults)
    return schema


def register_schemas(store: Store, schemas: Sequence[SchemaDef], now: Instant, *, new_version: bool) -> None:
    """Store checked schemas under their versions, replacing what is there, or behind the latest of their names."""
    with store.transaction() as tx:
        if new_version:
            for each in schemas:
                tx.add_schema_version(each.model_copy(update={"create_time": milliseconds(now), "update_time": 0}))
        else:
            tx.put_schemas([_dated(tx, each, now) for each in schemas])


def _dated(tx: Transaction, schema: SchemaDef, now: Instant) -> SchemaDef:
    present = tx.schemas([schema.key]).get(schema.key)
    if present is None:
        return schema.model_copy(update={"create_time": schema.create_time or milliseconds(now)})
    return schema.model_copy(update={"create_time": present.create_time, "update_time": milliseconds(now)})
