"""A step of a workflow as Python holds it, until it becomes JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, TypedDict, Unpack

from pydantic.alias_generators import to_camel

from engine.dsl.errors import calling_line
from engine.dsl.trace import Trace
from engine.dsl.value import Value, written
from engine.model.payload import Json


class Options(TypedDict, total=False):
    """What any step may be told beside its inputs; the names are those of definitions, in Python's spelling."""

    name: str
    description: str
    optional: bool
    permissive: bool
    start_delay: int
    retry_count: int
    async_complete: bool
    rate_limited: bool
    task_definition: Mapping[str, Any]
    cache_config: Mapping[str, Any]
    on_state_change: Mapping[str, Any]
    metadata: Mapping[str, Any]


class Step:
    """A step that stands in a workflow; ``output``, ``input``, ``status`` … are values for the steps behind it."""

    #: Its inputs are evaluated again behind steps that it contains, and may read them.
    looks_ahead: ClassVar[bool] = False

    def __init__(
        self, kind: str, ref: str, inputs: Mapping[str, Any] | None = None, fields: Mapping[str, Any] | None = None
    ) -> None:
        self.ref = ref
        self.type = kind
        #: Where it was written.
        self.line = calling_line()
        self._inputs: dict[str, Json] = written(inputs or {})
        self._fields: dict[str, Json] = {"name": ref, **written(fields or {})}

    def __repr__(self) -> str:
        return f"<{self.type} {self.ref!r}>"

    @property
    def output(self) -> Value:
        """What the step produces."""
        return Value(f"{self.ref}.output")

    @property
    def input(self) -> Value:
        """What the step was given."""
        return Value(f"{self.ref}.input")

    @property
    def status(self) -> Value:
        """How the step ended, such as COMPLETED."""
        return Value(f"{self.ref}.status")

    @property
    def reason(self) -> Value:
        """Why the step did not complete."""
        return Value(f"{self.ref}.reasonForIncompletion")

    def options(self, **options: Unpack[Options]) -> Self:
        """Say more about the step; returns the step itself: ``pack(order=order).options(optional=True)``."""
        self._fields |= written({to_camel(name): value for name, value in options.items()})
        return self

    def to_json(self) -> dict[str, Json]:
        """Return the step as it stands in a definition."""
        head = {"name": self._fields["name"], "taskReferenceName": self.ref, "type": self.type}
        inputs = {"inputParameters": self._inputs} if self._inputs else {}
        return {**head, **inputs, **self._fields, **self._nested()}

    def _nested(self) -> dict[str, Json]:
        return {}

    def lists(self) -> Iterator[tuple[str, list[Step]]]:
        """Yield the lists of steps inside, each with its place in the step's JSON."""
        yield from ()

    def values(self) -> Json:
        """Return everything that may hold expressions, for the check of references."""
        return [self._inputs, {key: value for key, value in self._fields.items() if key in ("sink", "items")}]


def placed(step: Step) -> Step:
    """Put a step at the end of the list that is being written, and return it."""
    Trace.current().add(step)
    return step
