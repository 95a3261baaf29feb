"""Reading the text of a template: plain pieces, and expressions ``${…}`` that may hold expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

_BRACE = re.compile(r"\$?\{|\}")

#: How deep expressions may stand in each other; what is deeper stays text.
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Expression:
    """One ``${…}``: ``text`` is all between its braces, ``inner`` the same as plain pieces and inner expressions."""

    text: str
    inner: tuple[Part, ...]

    @property
    def nested(self) -> bool:
        """Whether an inner expression must be resolved before this one."""
        return any(isinstance(part, Expression) for part in self.inner)


Part: TypeAlias = str | Expression


def split(text: str) -> tuple[Part, ...]:
    """Return ``text`` as its plain pieces and its expressions, in order.

    Braces are balanced without regard to quotes. An opening ``${`` that is never closed is plain text, and so is one
    escaped as ``$${``; expressions within either still count (Conductor 2.1).
    """
    if "${" not in text:
        return (text,)
    return tuple(_parts(text, 0, len(text), _partners(text), 0))


def _partners(text: str) -> dict[int, int]:
    """Return, for each ``${`` that is closed, where it begins and where its closing brace stands."""
    partners: dict[int, int] = {}
    waiting: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace.group() != "}":
            waiting.append(brace.start() if brace.group() == "${" else -1)
        elif waiting and (opened := waiting.pop()) >= 0:
            partners[opened] = brace.start()
    return partners


def _parts(text: str, start: int, stop: int, partners: dict[int, int], depth: int) -> Iterator[Part]:
    plain = at = start
    while (at := text.find("${", at, stop)) >= 0:
        closed = partners.get(at)
        escaped = at > start and text[at - 1] == "$"
        if closed is None or escaped or depth >= _DEEPEST:
            at += 2
            continue
        if at > plain:
            yield text[plain:at]
        yield Expression(text[at + 2 : closed], tuple(_parts(text, at + 2, closed, partners, depth + 1)))
        plain = at = closed + 1
    if plain < stop:
        yield text[plain:stop]
