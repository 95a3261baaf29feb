"""Conditions inside ``[?(…)]``: operands, comparisons and what a missing value means in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import regex

from engine.errors import BadExpression, ScriptLimitExceeded
from engine.expression.java_text import java_text
from engine.expression.jsonpath_segment import Path
from engine.model.payload import Json

#: A condition is asked with the element and the whole document.
Condition: TypeAlias = Callable[[Json, Json], bool]

#: An operand gives its value for an element, or ``MISSING``.
Operand: TypeAlias = Callable[[Json, Json], Json]

#: Seconds that matching one text may take. A pattern that backtracks without end must not hold up the decider; a
#: sound one needs microseconds, so the rest is room for a machine that is busy.
MATCH_SECONDS = 0.25


class _Missing:
    """What a path in a condition gives when it finds nothing; equal to nothing, as in Jayway."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


MISSING: Final = _Missing()


def literal(value: Json) -> Operand:
    """Return the operand that is always ``value``."""
    return lambda node, root: value


def looked_up(path: Path, *, relative: bool) -> Operand:
    """Return the operand that a path finds, from the element (``@``) or from the document (``$``)."""

    def operand(node: Json, root: Json) -> Json:
        nodes = path.values(root, node if relative else root)
        if not nodes:
            return MISSING
        return nodes[-1] if path.definite else nodes

    return operand


def exists(operand: Operand) -> Condition:
    """Return the condition that ``operand`` finds something; a null that is there counts."""
    return lambda node, root: operand(node, root) is not MISSING


def comparison(left: Operand, operator: str, right: Operand) -> Condition:
    """Return the condition ``left operator right``; the operator is a key of ``OPERATORS``."""
    compare = OPERATORS[operator]
    return lambda node, root: compare(left(node, root), right(node, root))


def matches(left: Operand, pattern: str, flags: str) -> Condition:
    """Return the condition that the whole of ``left`` matches ``/pattern/flags``; numbers are matched as text."""
    compiled = _compile(pattern, flags)

    def condition(node: Json, root: Json) -> bool:
        value = left(node, root)
        if not isinstance(value, str | int | float):
            return False
        try:
            return compiled.fullmatch(java_text(value), timeout=MATCH_SECONDS) is not None
        except TimeoutError:
            raise ScriptLimitExceeded(
                f"The pattern /{pattern}/ in a JSON path took more than {MATCH_SECONDS:g} seconds, interrupted; "
                "make it less ambiguous."
            ) from None

    return condition


def _compile(pattern: str, flags: str) -> regex.Pattern[str]:
    known = {"i": regex.I, "m": regex.M, "s": regex.S, "d": 0, "u": regex.U, "x": regex.X, "U": regex.U}
    if unknown := set(flags) - set(known):
        raise BadExpression(f"The pattern /{pattern}/{flags} has the unknown flag {min(unknown)!r}.")
    try:
        return regex.compile(pattern, sum({known[flag] for flag in flags}))
    except regex.error as fault:
        raise BadExpression(f"The pattern /{pattern}/ cannot be read: {fault}.") from None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Json, right: Json) -> bool:
    """Compare as Jayway does: a number and a text holding the same number are equal, ``true`` and ``1`` are not."""
    if _is_number(left) and isinstance(right, str):
        try:
            return bool(left == float(right))
        except ValueError:
            return False
    if isinstance(left, str) and _is_number(right):
        return left == java_text(right)
    return _alike(left, right)


def _alike(left: Json, right: Json) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def _same(left: Json, right: Json) -> bool:
    """Compare without converting: ``===``."""
    if isinstance(left, str) != isinstance(right, str):
        return False
    return _alike(left, right)


def _ordered(test: Callable[[Json, Json], bool]) -> Callable[[Json, Json], bool]:
    """Apply ``test`` to two numbers or two texts; anything else is not ordered."""

    def compare(left: Json, right: Json) -> bool:
        comparable = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return comparable and test(left, right)

    return compare


def _member(value: Json, collection: Json) -> bool:
    return isinstance(collection, list | tuple) and any(_equal(value, element) for element in collection)


def _contains(left: Json, right: Json) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return _member(right, left)


def _has_size(left: Json, right: Json) -> bool:
    return isinstance(left, str | list | tuple) and _is_number(right) and len(left) == right


def _is_empty(left: Json, right: Json) -> bool:
    return isinstance(left, str | list | tuple | Mapping) and isinstance(right, bool) and (not left) == right


def _all_in(left: Json, right: Json) -> bool:
    return isinstance(left, list | tuple) and all(_member(element, right) for element in left)


def _any_in(left: Json, right: Json) -> bool:
    return isinstance(left, list | tuple) and any(_member(element, right) for element in left)


OPERATORS: Mapping[str, Callable[[Json, Json], bool]] = {
    "===": _same,
    "!==": lambda left, right: not _same(left, right),
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
    "in": _member,
    "nin": lambda left, right: not _member(left, right),
    "contains": _contains,
    "size": _has_size,
    "empty": _is_empty,
    "subsetof": _all_in,
    "anyof": _any_in,
    "noneof": lambda left, right: not _any_in(left, right),
    "all": lambda left, right: _all_in(right, left),
}
