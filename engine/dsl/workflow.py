"""Workflows as functions: parameters are the input, what is called are the steps, what is returned is the output."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from pydantic.alias_generators import to_camel

from engine.decider.validate import validate_workflow
from engine.dsl.errors import BadWorkflow, DefinitionWarning, Line, calling_line
from engine.dsl.step import Step, placed
from engine.dsl.task import Task
from engine.dsl.trace import Trace
from engine.dsl.value import Value, run, written
from engine.errors import BadDefinition, Fault
from engine.model.payload import Json


class WorkflowFields(TypedDict, total=False):
    """The fields of a workflow definition beside its tasks, in Python's spelling."""

    version: int
    description: str
    owner_email: str
    timeout_seconds: int
    timeout_policy: Literal["TIME_OUT_WF", "ALERT_ONLY"]
    restartable: bool
    input_template: Mapping[str, Any]
    variables: Mapping[str, Any]
    failure_workflow_version: int
    workflow_status_listener_enabled: bool
    workflow_status_listener_sink: str
    rate_limit_config: Mapping[str, Any]
    cache_config: Mapping[str, Any]
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    enforce_schema: bool
    masked_fields: Sequence[str]
    metadata: Mapping[str, Any]


#: What is decorated: parameters are values, the result is the workflow's output.
Body: TypeAlias = Callable[..., Mapping[str, Any] | None]


class Workflow:
    """A workflow written as a function; calling it in another one puts a SUB_WORKFLOW step there."""

    def __init__(self, body: Body, name: str, fields: Mapping[str, Json]) -> None:
        self.name = name
        self.version = int(fields.get("version", 1))
        self.__doc__ = body.__doc__
        self._line = Line(body.__code__.co_filename, body.__code__.co_firstlineno)
        self._trace = Trace()
        parameters, template = _parameters(body)
        template |= fields.get("inputTemplate", {})
        with self._trace.being_written():
            outputs = _returned(body(**parameters), self._line)
            self._trace.look_at(outputs)
        described = {"description": inspect.cleandoc(body.__doc__)} if body.__doc__ else {}
        self._document: dict[str, Json] = {
            "name": name,
            "version": self.version,
            **described,
            "schemaVersion": 2,
            **fields,
            **({"inputParameters": list(parameters)} if parameters else {}),
            **({"inputTemplate": template} if template else {}),
            "tasks": [step.to_json() for step in self._trace.steps],
            **({"outputParameters": outputs} if outputs else {}),
        }
        self._check()

    def __call__(self, ref: str | None = None, /, **inputs: Any) -> Step:
        """Put a step that runs this workflow into the one that is being written; ``ref`` is its name unless given."""
        Trace.current().use(self)
        param = {"subWorkflowParam": {"name": self.name, "version": self.version}}
        return placed(Step("SUB_WORKFLOW", ref or self.name, inputs, param)).options(name=self.name)

    def __repr__(self) -> str:
        return f"Workflow({self.name!r}, version={self.version})"

    @property
    def uses(self) -> Sequence[Task | Workflow]:
        """The tasks and workflows that its steps run, those of its children included."""
        found: dict[Task | Workflow, None] = dict(self._trace.used)
        for child in self._trace.used:
            if isinstance(child, Workflow):
                found |= dict.fromkeys(child.uses)
        return list(found)

    def to_json(self) -> dict[str, Json]:
        """Return the workflow definition."""
        return dict(self._document)

    def _check(self) -> None:
        """Raise or warn, at the line of the step, of what the engine would refuse or doubt."""
        lines = dict(_lines("tasks", self._trace.steps))
        try:
            _, doubts = validate_workflow(self._document, lambda names: {})
        except BadDefinition as error:
            first = error.faults[0]
            others = "".join(f"\n{self._place(lines, fault)}: {fault}" for fault in error.faults[1:])
            raise BadWorkflow(f"{first}{others}", self._place(lines, first)) from None
        for doubt in doubts:
            place = self._place(lines, doubt)
            warnings.warn_explicit(f"{self.name}: {doubt}", DefinitionWarning, place.file, place.number)

    def _place(self, lines: Mapping[str, Line], fault: Fault) -> Line:
        path = fault.path
        while path and path not in lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return lines.get(path, self._line)


def workflow(
    name: str | None = None, *, failure_workflow: str | Workflow | None = None, **fields: Unpack[WorkflowFields]
) -> Callable[[Body], Workflow]:
    """Make a workflow of a function.

        @workflow(version=2, timeout_seconds=3600, timeout_policy="TIME_OUT_WF")
        def order_fulfilment(order: Value, express: Any = False) -> dict[str, Value]:
            \"\"\"Prices, charges and ships an order.\"\"\"
            price = price_order("price", items=order["items"], express=express)
            charge_card("payment", amount=price.output.total)
            return {"total": price.output.total}

    The function is called once, now, with values in place of the input. Its name, the defaults of its parameters
    and its docstring become the workflow's name, ``inputTemplate`` and description; a mistake is raised at its line.
    """

    def decorate(body: Body) -> Workflow:
        given = written({to_camel(field): value for field, value in fields.items()})
        if failure_workflow is not None:
            given |= _failure(failure_workflow)
        return Workflow(body, name or body.__name__, given)

    return decorate


def _returned(outputs: object, line: Line) -> dict[str, Json]:
    if outputs is not None and not isinstance(outputs, Mapping):
        raise BadWorkflow(f"a workflow returns its output as a dict, not as {outputs!r}", line)
    return dict(written(outputs or {}))


def _failure(child: str | Workflow) -> dict[str, Json]:
    if isinstance(child, str):
        return {"failureWorkflow": child}
    return {"failureWorkflow": child.name, "failureWorkflowVersion": child.version}


def _parameters(body: Body) -> tuple[dict[str, Value], dict[str, Json]]:
    """Return a value for each parameter, and the defaults of those that have one."""
    values: dict[str, Value] = {}
    template: dict[str, Json] = {}
    for name, parameter in inspect.signature(body).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise BadWorkflow(f"the parameter {name!r} has no name to be an input", calling_line())
        values[name] = run.input[name]
        if parameter.default is not parameter.empty:
            template[name] = written(parameter.default)
    return values, template


def _lines(path: str, steps: Sequence[Step]) -> Iterator[tuple[str, Line]]:
    for number, step in enumerate(steps):
        here = f"{path}[{number}]"
        yield here, step.line
        for name, nested in step.lists():
            yield from _lines(f"{here}.{name}", nested)
