"""What definitions demand of inputs and outputs: ``inputSchema`` and ``outputSchema``, where they are enforced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.errors import Fault
from engine.expression.json_schema import mismatch, schema_fault
from engine.model.definition import TaskDef, WorkflowDef
from engine.model.payload import Json, JsonObject


def schema_faults(definition: WorkflowDef | TaskDef) -> Iterator[Fault]:
    """Yield what is wrong with a definition's own schemas."""
    for path, schema in (("inputSchema", definition.input_schema), ("outputSchema", definition.output_schema)):
        data = _data(schema)
        complaint = schema_fault(data) if data is not None else None
        if complaint is not None:
            yield Fault(f"{path}.data", f"not a JSON Schema that can be used: {complaint}")


def input_mismatch(definition: WorkflowDef | TaskDef, value: JsonObject) -> str | None:
    """Return in what the input is not as the definition demands, or None."""
    return _mismatch(definition.input_schema, "input", value) if definition.enforce_schema else None


def output_mismatch(definition: WorkflowDef | TaskDef, value: JsonObject) -> str | None:
    """Return in what the output is not as the definition demands, or None."""
    return _mismatch(definition.output_schema, "output", value) if definition.enforce_schema else None


def _mismatch(schema: Json, subject: str, value: JsonObject) -> str | None:
    data = _data(schema)
    if data is None:
        return None
    wrong = mismatch(data, value)
    return None if wrong is None else f"The {subject} is not as {_name(schema)} demands: {wrong}"


def _data(schema: Json) -> JsonObject | None:
    """Return the schema itself; None for one that is only named, or is of another kind than JSON."""
    if not isinstance(schema, Mapping) or (schema.get("type") or "JSON") != "JSON":
        return None
    data = schema.get("data")
    return data if isinstance(data, Mapping) and data else None


def _name(schema: Json) -> str:
    name = schema.get("name")
    return f"the schema {name}" if name else "its schema"
