"""What people write: workflow and task definitions, in Conductor's JSON, frozen once read.

Reading is lenient the way Conductor is: unknown properties are ignored, ``null`` means the field's zero, numbers may
come as strings. What a definition must satisfy beyond its shape is the business of ``decider.validate``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from engine.errors import BadDefinition, Fault
from engine.model.mistakes import kind_of, sentence, stand_in
from engine.model.payload import Json

#: Attributes under which a path into a faulty document may be cut out, so that the rest can still be checked.
_Path = tuple[int | str, ...]


class RetryLogic(StrEnum):
    """How the delay between attempts grows."""

    FIXED = "FIXED"
    LINEAR_BACKOFF = "LINEAR_BACKOFF"
    EXPONENTIAL_BACKOFF = "EXPONENTIAL_BACKOFF"


class TimeoutPolicy(StrEnum):
    """What a task's task, poll or total timeout does."""

    RETRY = "RETRY"
    TIME_OUT_WF = "TIME_OUT_WF"
    ALERT_ONLY = "ALERT_ONLY"


class WorkflowTimeoutPolicy(StrEnum):
    """What a workflow's timeout does."""

    TIME_OUT_WF = "TIME_OUT_WF"
    ALERT_ONLY = "ALERT_ONLY"


def _text(value: object) -> object:
    """Let numbers and booleans stand where a name is expected, as Conductor's JSON reader does."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_text)]

#: Numbers as databases keep them.
_MOST = 2**63 - 1
Version = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Long = Annotated[int, Field(ge=-_MOST, le=_MOST)]

#: What one definition may be, so that whoever sends one cannot hold up or fill the process that reads it: characters as
#: JSON, values in it, and how deep they stand in each other (steps in a case of a SWITCH take three).
LARGEST: Final = 2_000_000
_MOST_VALUES: Final = 100_000
_DEEPEST: Final = 200

#: Mistakes that are told at once; whoever mends these finds the others.
MOST_FAULTS: Final = 100

#: How often the faulty parts of a document are cut out to look for further ones.
_MOST_ROUNDS: Final = 20


class Written(BaseModel):
    """Base of everything that people write: camelCase outside, frozen, ``null`` read as the field's zero."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_zero(cls, data: object) -> object:
        """Drop ``null`` for fields that have no null; a primitive becomes 0 or false (Conductor 1.0)."""
        if not isinstance(data, Mapping) or None not in data.values():
            return data
        zeros = {field.alias: field for field in cls.model_fields.values()}
        kept = dict(data)
        for key, value in data.items():
            field = zeros.get(key)
            if value is not None or field is None or field.default is None:
                continue
            del kept[key]
            if field.annotation is bool:
                kept[key] = False
            elif field.annotation is int:
                kept[key] = 0
        return kept

    def to_json(self) -> dict[str, Json]:
        """Return the definition as Conductor prints it: camelCase, nulls left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class TaskDef(Written):
    """How a task of this name is retried, timed out and limited; seconds throughout.

    Defaults are Conductor's code's, not its documentation's: 3 retries of 60 s, 1 h response timeout.
    """

    name: Text = ""
    description: Text | None = None
    owner_email: Text | None = None
    owner_app: Text | None = None
    create_time: Long = 0
    update_time: Long = 0
    created_by: Text | None = None
    updated_by: Text | None = None
    retry_count: int = Field(3, ge=0, le=_MOST)
    retry_logic: RetryLogic = RetryLogic.FIXED
    retry_delay_seconds: int = Field(60, ge=0, le=_MOST)
    backoff_scale_factor: int = Field(1, ge=1, le=_MOST)
    max_retry_delay_seconds: int = Field(0, ge=0, le=_MOST)
    backoff_jitter_ms: int = Field(0, ge=0, le=_MOST)
    timeout_seconds: int = Field(0, ge=0, le=_MOST)
    timeout_policy: TimeoutPolicy = TimeoutPolicy.TIME_OUT_WF
    response_timeout_seconds: int = Field(3600, ge=0, le=_MOST)
    poll_timeout_seconds: int | None = Field(None, ge=0, le=_MOST)
    total_timeout_seconds: int = Field(0, ge=0, le=_MOST)
    concurrent_exec_limit: Long | None = None
    rate_limit_per_frequency: Long | None = None
    rate_limit_frequency_in_seconds: Long | None = None
    isolation_group_id: Text | None = None
    execution_name_space: Text | None = None
    input_keys: tuple[str, ...] = ()
    output_keys: tuple[str, ...] = ()
    input_template: dict[str, Json] = Field(default_factory=dict)
    runtime_metadata: tuple[str, ...] = ()
    input_schema: Json | None = None
    output_schema: Json | None = None
    enforce_schema: bool = False
    base_type: Text | None = None
    task_status_listener_enabled: bool = True


class SubWorkflowParam(Written):
    """Which workflow a SUB_WORKFLOW task starts; ``workflow_definition`` is an object or a ``${…}`` string."""

    name: Text = ""
    version: Version | None = None
    task_to_domain: dict[str, str] | None = None
    workflow_definition: Json | None = None
    idempotency_key: Text | None = None
    idempotency_strategy: Text | None = None
    priority: Json | None = None


class CacheConfig(Written):
    """For how long the result of a task is that of every task with the same key."""

    key: Text = ""
    ttl_in_second: Long = 0


class WorkflowTask(Written):
    """One step of a workflow definition; which fields matter depends on ``type``."""

    name: Text = ""
    task_reference_name: Text = ""
    type: Text = "SIMPLE"
    description: Text | None = None
    input_parameters: dict[str, Json] = Field(default_factory=dict)
    optional: bool = False
    permissive: bool = False
    start_delay: int = Field(0, ge=0, le=_MOST)
    retry_count: Long | None = None
    task_definition: TaskDef | None = None
    async_complete: bool = False
    rate_limited: bool | None = None
    dynamic_task_name_param: Text | None = None
    case_value_param: Text | None = None
    case_expression: Text | None = None
    decision_cases: dict[str, tuple[WorkflowTask, ...]] = Field(default_factory=dict)
    default_case: tuple[WorkflowTask, ...] = ()
    evaluator_type: Text | None = None
    expression: Text | None = None
    script_expression: Text | None = None
    fork_tasks: tuple[tuple[WorkflowTask, ...], ...] = ()
    join_on: tuple[str, ...] = ()
    join_mode: Text | None = None
    join_status: Text | None = None
    default_exclusive_join_task: tuple[str, ...] = ()
    dynamic_fork_tasks_param: Text | None = None
    dynamic_fork_tasks_input_param_name: Text | None = None
    dynamic_fork_join_tasks_param: Text | None = None
    loop_condition: Text | None = None
    loop_over: tuple[WorkflowTask, ...] = ()
    items: Json | None = None
    sink: Text | None = None
    sub_workflow_param: SubWorkflowParam | None = None
    on_state_change: dict[str, Json] = Field(default_factory=dict)
    cache_config: CacheConfig | None = None
    metadata: dict[str, Json] = Field(default_factory=dict)

    def lists(self) -> Iterator[tuple[str, tuple[WorkflowTask, ...]]]:
        """Yield every list of steps nested directly in this one, each with its JSON path relative to the step."""
        for case, steps in self.decision_cases.items():
            yield f"decisionCases.{case}", steps
        yield "defaultCase", self.default_case
        for number, steps in enumerate(self.fork_tasks):
            yield f"forkTasks[{number}]", steps
        yield "loopOver", self.loop_over


#: The metadata by which Conductor knows an agent.
_AGENT = frozenset({"agent_sdk", "agentDef"})


class RateLimitConfig(Written):
    """How many runs may share one key at a time."""

    rate_limit_key: Text = ""
    concurrent_exec_limit: Long = 0
    policy: Text = "QUEUE"


class WorkflowDef(Written):
    """A workflow: a list of steps, what goes in, what comes out and what happens when it fails."""

    name: Text = ""
    version: Version = 1
    description: Text | None = None
    owner_app: Text | None = None
    owner_email: Text | None = None
    create_time: Long = 0
    update_time: Long = 0
    created_by: Text | None = None
    updated_by: Text | None = None
    tasks: tuple[WorkflowTask, ...] = ()
    input_parameters: tuple[str, ...] = ()
    output_parameters: dict[str, Json] = Field(default_factory=dict)
    input_template: dict[str, Json] = Field(default_factory=dict)
    variables: dict[str, Json] = Field(default_factory=dict)
    failure_workflow: Text | None = None
    failure_workflow_version: Version | None = None
    schema_version: Long = 2
    restartable: bool = True
    timeout_seconds: int = Field(0, ge=0, le=_MOST)
    timeout_policy: WorkflowTimeoutPolicy = WorkflowTimeoutPolicy.ALERT_ONLY
    workflow_status_listener_enabled: bool = False
    workflow_status_listener_sink: Text | None = None
    rate_limit_config: RateLimitConfig | None = None
    cache_config: Json | None = None
    input_schema: Json | None = None
    output_schema: Json | None = None
    enforce_schema: bool = True
    masked_fields: tuple[str, ...] = ()
    metadata: dict[str, Json] = Field(default_factory=dict)

    @property
    def classifier(self) -> str:
        """What kind of workflow its author says it is, for lists that show one kind only."""
        named = self.metadata.get("classifier")
        if isinstance(named, str) and named:
            return named
        return "agent" if _AGENT & self.metadata.keys() else "workflow"


def walk(steps: Sequence[WorkflowTask], path: str = "tasks") -> Iterator[tuple[str, WorkflowTask]]:
    """Yield every step of the tree with its JSON path, containers before what they contain."""
    for number, step in enumerate(steps):
        here = f"{path}[{number}]"
        yield here, step
        for name, nested in step.lists():
            yield from walk(nested, f"{here}.{name}")


def changed(step: WorkflowTask, change: Callable[[WorkflowTask], WorkflowTask]) -> WorkflowTask:
    """Return the step with ``change`` applied to it and to every step nested in it; itself if nothing is changed."""

    def all_of(steps: tuple[WorkflowTask, ...]) -> tuple[WorkflowTask, ...]:
        return tuple(changed(each, change) for each in steps)

    nested: dict[str, object] = {
        "decision_cases": {case: all_of(steps) for case, steps in step.decision_cases.items()},
        "default_case": all_of(step.default_case),
        "fork_tasks": tuple(all_of(steps) for steps in step.fork_tasks),
        "loop_over": all_of(step.loop_over),
    }
    update = {field: value for field, value in nested.items() if value != getattr(step, field)}
    return change(step.model_copy(update=update) if update else step)


_T = TypeVar("_T", bound=Written)


def read(kind: type[_T], document: Json, subject: str, *, bounded: bool = True) -> tuple[_T, tuple[Fault, ...]]:
    """Read ``document`` as ``kind`` and list the faults of its shape.

    What is returned beside faults is the document without the faulty parts, so that the rest can be checked too and
    the author sees every mistake at once. Raises ``BadDefinition`` when the document is no object at all, is too large,
    or has so many faults that looking for more would be no help. Without ``bounded`` it may be of any size: for steps
    made of a run's own data, which has limits of its own.
    """
    if not isinstance(document, Mapping):
        raise BadDefinition(subject, [Fault("$", f"must be a JSON object, not {kind_of(document)}")])
    if bounded and (excess := _excess(document)) is not None:
        raise BadDefinition(subject, [Fault("$", excess)])
    faults: list[Fault] = []
    rest = copy.deepcopy(dict(document))
    for _ in range(_MOST_ROUNDS):
        try:
            return kind.model_validate(rest), tuple(faults)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                place = _real_path(rest, problem["loc"])
                faults.append(Fault(_show(place), sentence(problem)))
                if not place or len(faults) >= MOST_FAULTS:
                    raise BadDefinition(subject, faults) from None
                _cut(rest, place, problem)
    raise BadDefinition(subject, faults)


def _excess(document: Json) -> str | None:
    """Return what there is too much of in a definition, if anything."""
    characters = values = 0
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, Mapping):
            characters += sum(len(str(key)) for key in value)
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list | tuple):
            waiting.extend((item, depth + 1) for item in value)
        if characters + 2 * (values + len(waiting)) > LARGEST:
            return f"has more than {LARGEST:,} characters: put large data into a file, and its address here"
        if values + len(waiting) > _MOST_VALUES:
            return f"holds more than {_MOST_VALUES:,} values: make it several workflows (SUB_WORKFLOW)"
        if depth > _DEEPEST:
            return f"is nested more than {_DEEPEST} deep: make the inner steps a workflow of their own (SUB_WORKFLOW)"
    return None


def _real_path(document: Json, location: _Path) -> _Path:
    """Keep only the part of Pydantic's location that exists in the document (unions add names of their own)."""
    kept: list[int | str] = []
    here: Json = document
    for step in location:
        in_object = isinstance(here, Mapping) and step in here
        in_list = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if in_object or in_list:
            here = here[step]
            kept.append(step)
    return tuple(kept)


def _show(path: _Path) -> str:
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return shown.lstrip(".") or "$"


def _cut(document: Json, path: _Path, problem: Mapping[str, Any]) -> None:
    """Remove what stands at ``path``; something stands in for list elements, so that the other indices stay true."""
    here = document
    for step in path[:-1]:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            return
    last = path[-1]
    if isinstance(here, list) and isinstance(last, int) and last < len(here):
        here[last] = stand_in(problem, here[last])
    elif isinstance(here, dict):
        here.pop(last, None)
