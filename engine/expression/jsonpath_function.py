"""Functions at the end of a JSON path: ``length()``, ``sum()``, ``first()`` … None of them changes its subject."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from engine.expression.budget import Budget
from engine.expression.java_text import java_text
from engine.expression.jsonpath_segment import Document, Path, Segment
from engine.model.payload import Json


class _NoResult(Exception):
    """The function has no answer for this subject; the path then finds nothing."""


#: A function gets its subject, its arguments and what it may cost, and returns its result or raises ``_NoResult``.
Function: TypeAlias = Callable[[Json, Sequence[Json], Budget], Json]


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands between a function's parentheses: a literal, or a path to be looked up."""

    literal: Json = None
    path: Path | None = None

    def value(self, node: Json, document: Document, *, relative: bool) -> Json:
        """Return the argument's value; ``relative`` paths start at ``node`` rather than at the document's root."""
        if self.path is None:
            return self.literal
        nodes = self.path.values(document, node if relative else document.root)
        if not self.path.definite:
            return nodes
        return nodes[-1] if nodes else None


@dataclass(frozen=True, slots=True)
class Call(Segment):
    """``.name(arguments)``: applied to each value found so far, or, after ``..``, to the list of them all."""

    function: Function
    arguments: tuple[tuple[Argument, bool], ...] = ()
    to_all: bool = False

    @property
    def definite(self) -> bool:
        """Whether one value comes of each: always."""
        return True

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield the function's result, or nothing where it has none."""
        values = [argument.value(node, document, relative=relative) for argument, relative in self.arguments]
        try:
            yield self.function(node, values, document.budget)
        except _NoResult:
            return

    def select_all(self, nodes: Sequence[Json], document: Document) -> Iterator[Json]:
        """Yield one result for each value, or one for all."""
        if self.to_all:
            yield from self.select(list(nodes), document)
            return
        for node in nodes:
            yield from self.select(node, document)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flat(arguments: Sequence[Json]) -> Iterator[Json]:
    for argument in arguments:
        if isinstance(argument, list | tuple):
            yield from argument
        else:
            yield argument


def _numbers(subject: Json, arguments: Sequence[Json], budget: Budget) -> list[float]:
    elements = [*(subject if isinstance(subject, list | tuple) else ()), *_flat(arguments)]
    budget.spend(2 * len(elements))
    try:
        numbers = [float(element) for element in elements if _is_number(element)]
    except OverflowError:
        raise _NoResult from None
    if not numbers:
        raise _NoResult
    return numbers


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise _NoResult
    return number


def _sum(subject: Json, arguments: Sequence[Json], budget: Budget) -> float:
    return _finite(sum(_numbers(subject, arguments, budget)))


def _average(subject: Json, arguments: Sequence[Json], budget: Budget) -> float:
    numbers = _numbers(subject, arguments, budget)
    return _finite(sum(numbers) / len(numbers))


def _deviation(subject: Json, arguments: Sequence[Json], budget: Budget) -> float:
    """Return the standard deviation of the whole population, as Jayway does."""
    numbers = _numbers(subject, arguments, budget)
    average = sum(numbers) / len(numbers)
    return _finite(math.hypot(*(number - average for number in numbers)) / math.sqrt(len(numbers)))


def _length(subject: Json, arguments: Sequence[Json], budget: Budget) -> int | None:
    measured = arguments[0] if arguments else subject
    return len(measured) if isinstance(measured, list | tuple | Mapping) else None


def _keys(subject: Json, arguments: Sequence[Json], budget: Budget) -> list[str] | None:
    if not isinstance(subject, Mapping):
        return None
    budget.spend(len(subject))
    return list(subject)


def _element(subject: Json, position: Json) -> Json:
    if not isinstance(subject, list | tuple) or not isinstance(position, int) or isinstance(position, bool):
        raise _NoResult
    if not -len(subject) <= position < len(subject):
        raise _NoResult
    return subject[position]


def _concatenation(subject: Json, arguments: Sequence[Json], budget: Budget) -> str:
    own = [element for element in subject if isinstance(element, str)] if isinstance(subject, list | tuple) else []
    budget.spend(len(subject) if isinstance(subject, list | tuple) else 1)
    given: list[Json] = [*own, *(value for value in _flat(arguments) if value is not None)]
    budget.spend(len(given))
    for value in given:
        budget.weigh(value)
    return "".join([budget.join(java_text(value)) for value in given])


def _appended(subject: Json, arguments: Sequence[Json], budget: Budget) -> Json:
    if not isinstance(subject, list | tuple):
        return subject
    budget.spend(len(subject))
    return [*subject, *arguments]


FUNCTIONS: Mapping[str, Function] = {
    "length": _length,
    "size": _length,
    "min": lambda subject, arguments, budget: min(_numbers(subject, arguments, budget)),
    "max": lambda subject, arguments, budget: max(_numbers(subject, arguments, budget)),
    "sum": _sum,
    "avg": _average,
    "stddev": _deviation,
    "first": lambda subject, arguments, budget: _element(subject, 0),
    "last": lambda subject, arguments, budget: _element(subject, -1),
    "index": lambda subject, arguments, budget: _element(subject, arguments[0] if arguments else None),
    "keys": _keys,
    "concat": _concatenation,
    "append": _appended,
}
