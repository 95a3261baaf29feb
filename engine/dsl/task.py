"""Tasks that workers carry out: how each is tried again and timed out, and a step wherever it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from pydantic.alias_generators import to_camel

from engine.decider.validate import check_task
from engine.dsl.errors import BadWorkflow
from engine.dsl.step import Step, placed
from engine.dsl.trace import Trace
from engine.dsl.value import written
from engine.errors import BadDefinition
from engine.model.payload import Json


class TaskFields(TypedDict, total=False):
    """The fields of a task definition, in Python's spelling."""

    description: str
    owner_email: str
    retry_count: int
    retry_logic: Literal["FIXED", "LINEAR_BACKOFF", "EXPONENTIAL_BACKOFF"]
    retry_delay_seconds: int
    backoff_scale_factor: int
    max_retry_delay_seconds: int
    backoff_jitter_ms: int
    timeout_seconds: int
    timeout_policy: Literal["RETRY", "TIME_OUT_WF", "ALERT_ONLY"]
    response_timeout_seconds: int
    poll_timeout_seconds: int
    total_timeout_seconds: int
    concurrent_exec_limit: int
    rate_limit_per_frequency: int
    rate_limit_frequency_in_seconds: int
    isolation_group_id: str
    execution_name_space: str
    input_keys: Sequence[str]
    output_keys: Sequence[str]
    input_template: Mapping[str, Any]
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    enforce_schema: bool
    runtime_metadata: Sequence[str]


class Task:
    """A task by its name, with its definition; calling it puts a step into the workflow that is being written.

        charge_card = Task("charge_card", retry_count=5, retry_logic="EXPONENTIAL_BACKOFF")

        payment = charge_card("payment", amount=price.output.total)

    A task without fields is one that is defined elsewhere: it is called, but not registered.
    """

    def __init__(self, name: str, **fields: Unpack[TaskFields]) -> None:
        self.name = name
        self._fields = written({to_camel(field): value for field, value in fields.items()})
        try:
            check_task(self.to_json())
        except BadDefinition as error:
            raise BadWorkflow(str(error)) from None

    def __call__(self, ref: str | None = None, /, **inputs: Any) -> Step:
        """Put a step that runs this task into the workflow; ``ref`` is the task's name unless given."""
        Trace.current().use(self)
        return placed(Step("SIMPLE", ref or self.name, inputs)).options(name=self.name)

    def __repr__(self) -> str:
        return f"Task({self.name!r})"

    @property
    def is_defined(self) -> bool:
        """True when there is something to register."""
        return bool(self._fields)

    def to_json(self) -> dict[str, Json]:
        """Return the task definition."""
        return {"name": self.name, **self._fields}
