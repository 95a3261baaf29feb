"""Values that are known only when a workflow runs, written as attributes and items: ``price.output.total``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from engine.dsl.errors import BadWorkflow
from engine.model.payload import Json

#: Names that may follow a dot; all others are written in brackets.
_PLAIN: Final = re.compile(r"[A-Za-z_][\w-]*\Z", re.ASCII)


class Value:
    """An expression ``${…}``: attributes and items lead deeper into it, and texts may hold it (``f"Hello {name}"``).

    >>> name = Value("workflow.input.customer").name
    >>> str(name), str(Value("list.output.rows")[0]["net price"])
    ('${workflow.input.customer.name}', "${list.output.rows[0]['net price']}")

    It has no methods, so that every name is free for data. What begins with an underscore is written as an item.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_"):
            raise AttributeError(f"write [{name!r}] for data of this name")
        return Value(f"{self._text}.{name}")

    def __getitem__(self, key: str | int | slice) -> Value:
        match key:
            case int():
                return Value(f"{self._text}[{key}]")
            case slice(start=None, stop=None):
                return Value(f"{self._text}[*]")
            case slice():
                return Value(f"{self._text}[{_end(key.start)}:{_end(key.stop)}]")
            case _ if _PLAIN.match(key):
                return Value(f"{self._text}.{key}")
            case _ if "'" in key:
                return Value(f'{self._text}["{key}"]')
            case _:
                return Value(f"{self._text}['{key}']")

    def __call__(self, *arguments: int | str) -> Value:
        """Apply a function of the expression language: ``rows.length()``, ``prices.max()``, ``rows.index(2)``."""
        return Value(f"{self._text}({', '.join(json.dumps(argument) for argument in arguments)})")

    def __str__(self) -> str:
        return f"${{{self._text}}}"

    def __repr__(self) -> str:
        return f"Value({self._text!r})"

    def __eq__(self, other: object) -> bool:
        self._unknown("compared")

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        self._unknown("a condition")

    def __iter__(self) -> NoReturn:
        self._unknown("gone through")

    def _unknown(self, use: str) -> NoReturn:
        raise BadWorkflow(
            f"{self} is known only when the workflow runs and cannot be {use} in Python: switch chooses by a value, "
            "each and fork_each go through one"
        )


def _end(number: object) -> str:
    return "" if number is None else str(number)


class Run:
    """What a workflow may know of its own run, such as ``run.id``, ``run.variables.stage``, ``run.secrets.API_KEY``."""

    id: Final = Value("workflow.workflowId")
    input: Final = Value("workflow.input")
    variables: Final = Value("workflow.variables")
    correlation_id: Final = Value("workflow.correlationId")
    status: Final = Value("workflow.status")
    name: Final = Value("workflow.workflowType")
    version: Final = Value("workflow.version")
    parent_id: Final = Value("workflow.parentWorkflowId")
    reason: Final = Value("workflow.reasonForIncompletion")
    secrets: Final = Value("workflow.secrets")
    env: Final = Value("workflow.env")


run: Final = Run()


def expression(path: str) -> Value:
    """Return the value of any path of the expression language: ``expression("list.output.rows[?(@.paid)].total")``."""
    return Value(path)


def written(value: Any) -> Json:
    """Return a value as it stands in a definition: expressions as texts, tuples as lists."""
    match value:
        case Value():
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): written(item) for key, item in value.items()}
        case list() | tuple():
            return [written(item) for item in value]
        case _:
            hint = ": pass its output" if hasattr(value, "output") else ""
            raise BadWorkflow(f"{value!r} cannot stand in a definition, which is JSON{hint}")
