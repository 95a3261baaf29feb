"""The steps of a JSON path, each turning one value into those it selects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Final

from engine.expression.budget import SCALARS, Budget
from engine.model.payload import Json

#: Steps of asking a condition, besides what it looks at.
_CONDITION: Final = 8


@dataclass(frozen=True, slots=True)
class Document:
    """What a path is evaluated over: the whole value, for filters that name it, and what looking at it may cost.

    Steps multiply (``$..*..*``, filters in filters), and a path is evaluated inside the decider.
    """

    root: Json
    budget: Budget


class Segment(ABC):
    """One step of a path."""

    __slots__ = ()

    #: Steps of selecting one value.
    cost: ClassVar[int] = 2

    @property
    def definite(self) -> bool:
        """Whether at most one value is selected from each."""
        return False

    @abstractmethod
    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield what this step selects from ``node``; looking at more than is selected counts in the budget."""

    def select_all(self, nodes: Sequence[Json], document: Document) -> Iterator[Json]:
        """Yield what this step selects from each of ``nodes``, in order."""
        for node in nodes:
            yield from self.select(node, document)


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled JSON path."""

    segments: tuple[Segment, ...]
    #: Whether the path gives one value or null, rather than a list.
    definite: bool

    @property
    def dotted(self) -> tuple[str, ...] | None:
        """The names from map to map if the path is nothing but single names, else ``None``."""
        children = [segment for segment in self.segments if isinstance(segment, Child) and len(segment.names) == 1]
        plain = len(children) == len(self.segments) > 0
        return tuple(child.names[0] for child in children) if plain else None

    def values(self, document: Document, start: Json) -> list[Json]:
        """Return all values that the path selects, beginning at ``start`` inside the document.

        Raises ``BadExpression`` when that takes more steps than the budget has.
        """
        nodes = [start]
        budget = document.budget
        for segment in self.segments:
            nodes = list(islice(segment.select_all(nodes, document), budget.left // segment.cost + 1))
            budget.spend(len(nodes) * segment.cost + 1)
        return nodes

    def find(self, root: Json, budget: Budget | None = None) -> Json:
        """Return the value found in ``root``: one value or ``None`` if definite, else a list."""
        nodes = self.values(Document(root, Budget() if budget is None else budget), root)
        if not self.definite:
            return nodes
        return nodes[-1] if nodes else None


@dataclass(frozen=True, slots=True)
class Child(Segment):
    """``.name``, ``['name']`` or ``['a','b']``: properties of a map. Lists and scalars have none.

    Several names at the end of a path select one map of those present; before other steps, each value in turn.
    """

    names: tuple[str, ...]
    last: bool = True

    @property
    def definite(self) -> bool:
        """Whether one value is selected at most."""
        return len(self.names) == 1 or self.last

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield the named properties."""
        if not isinstance(node, Mapping):
            return
        if len(self.names) > 1:
            document.budget.spend(len(self.names))
        if len(self.names) > 1 and self.last:
            yield {name: node[name] for name in self.names if name in node}
            return
        for name in self.names:
            try:
                yield node[name]
            except KeyError:
                continue


@dataclass(frozen=True, slots=True)
class Index(Segment):
    """``[0]``, ``[-1]`` or ``[0,2]``: elements of a list; those out of range are left out."""

    positions: tuple[int, ...]

    @property
    def definite(self) -> bool:
        """Whether one element is selected at most."""
        return len(self.positions) == 1

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield the elements at the positions."""
        if isinstance(node, list | tuple):
            if len(self.positions) > 1:
                document.budget.spend(len(self.positions))
            for position in self.positions:
                if -len(node) <= position < len(node):
                    yield node[position]


@dataclass(frozen=True, slots=True)
class Slice(Segment):
    """``[0:2]``, ``[-2:]``: a run of a list's elements."""

    start: int | None
    stop: int | None

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield the elements between the bounds."""
        if isinstance(node, list | tuple):
            yield from node[self.start : self.stop]


@dataclass(frozen=True, slots=True)
class Wildcard(Segment):
    """``*``: all values of a map, all elements of a list."""

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield the children of ``node``."""
        yield from _children(node)


@dataclass(frozen=True, slots=True)
class Descendants(Segment):
    """``..``: a value and everything below it, parents before their children."""

    cost: ClassVar[int] = 6

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield ``node`` and all below it; with a stack of its own, since data may be nested deeply."""
        waiting = [node]
        while waiting:
            value = waiting.pop()
            yield value
            waiting.extend(reversed(_children(value)))


@dataclass(frozen=True, slots=True)
class Filter(Segment):
    """``[?(…)]``: the elements of a list, or the map itself, for which the condition holds."""

    holds: Callable[[Json, Document], bool]

    def select(self, node: Json, document: Document) -> Iterator[Json]:
        """Yield what satisfies the condition."""
        if isinstance(node, list | tuple):
            spend = document.budget.spend
            for element in node:
                spend(_CONDITION)
                if self.holds(element, document):
                    yield element
        elif isinstance(node, Mapping) and self.holds(node, document):
            yield node


def _children(node: Json) -> Sequence[Json]:
    kind = type(node)
    if kind in SCALARS:
        return ()
    # Mappings that are no dictionaries: the roots of a run, which are built when they are asked for.
    if kind is dict or isinstance(node, Mapping):
        return list(node.values())
    return tuple(node) if isinstance(node, list | tuple) else ()
