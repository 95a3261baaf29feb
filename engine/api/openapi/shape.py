"""What one operation takes and gives, as the OpenAPI document tells it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from engine.model.payload import Json

JSON: Final = "application/json"
TEXT: Final = "text/plain"


class Body(Struct, frozen=True):
    """A body by its schema, with an example of it."""

    schema: Json
    example: Json
    required: bool = True


class Answer(Struct, frozen=True, kw_only=True):
    """What comes back when all went well; without a ``schema`` nothing but the status."""

    status: int = 200
    schema: Json = None
    media: str = JSON
    example: Json = None


class Shape(Struct, frozen=True, kw_only=True):
    """An operation: its body, if it has one, what it gives, and statuses that other operations do not answer."""

    takes: Body | None = None
    gives: tuple[Answer, ...] = (Answer(schema={}),)
    also: tuple[int, ...] = ()


def ref(name: str) -> Json:
    """Return a reference to one of the document's schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def map_of(schema: Json) -> Json:
    """Return the schema of an object whose values are alike."""
    return {"type": "object", "additionalProperties": schema}


def one_of(*schemas: Json) -> Json:
    """Return the schema of what is like one of these."""
    return {"anyOf": list(schemas)}


def gives(schema: Json, example: Json = None, status: int = 200) -> tuple[Answer, ...]:
    """Return an answer in JSON."""
    return (Answer(schema=schema, example=example, status=status),)


def gives_text(example: str) -> tuple[Answer, ...]:
    """Return an answer in plain text."""
    return (Answer(schema={"type": "string"}, media=TEXT, example=example),)


#: An object of any fields.
OBJECT: Final[Json] = {"type": "object"}

NOTHING: Final = (Answer(),)
NO_CONTENT: Final = (Answer(status=204),)
