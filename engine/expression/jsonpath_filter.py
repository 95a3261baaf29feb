"""Conditions inside ``[?(…)]``: operands, comparisons and what a missing value means in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import re2

from engine.errors import BadExpression
from engine.expression.budget import Budget
from engine.expression.java_text import java_text
from engine.expression.jsonpath_segment import Document, Path
from engine.model.payload import Json

#: A condition is asked with the element and the whole document.
Condition: TypeAlias = Callable[[Json, Document], bool]

#: An operand gives its value for an element, or ``MISSING``.
Operand: TypeAlias = Callable[[Json, Document], Json]

#: Compares two values; what it looks at counts in the budget.
Comparison: TypeAlias = Callable[[Json, Json, Budget], bool]

#: Bytes for one pattern, compiled and at work.
_PATTERN_BYTES: Final = 1024 * 1024

#: Characters matched in the time of a step, by a pattern of the usual size; longer ones take longer.
_MATCHED_PER_STEP: Final = 16
_USUAL_PATTERN: Final = 64


class _Missing:
    """What a path in a condition gives when it finds nothing; equal to nothing, as in Jayway."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


MISSING: Final = _Missing()


def literal(value: Json) -> Operand:
    """Return the operand that is always ``value``."""
    return lambda node, document: value


def looked_up(path: Path, *, relative: bool) -> Operand:
    """Return the operand that a path finds, from the element (``@``) or from the document (``$``)."""

    def operand(node: Json, document: Document) -> Json:
        nodes = path.values(document, node if relative else document.root)
        if not nodes:
            return MISSING
        return nodes[-1] if path.definite else nodes

    return operand


def exists(operand: Operand) -> Condition:
    """Return the condition that ``operand`` finds something; a null that is there counts."""
    return lambda node, document: operand(node, document) is not MISSING


def comparison(left: Operand, operator: str, right: Operand) -> Condition:
    """Return the condition ``left operator right``; the operator is a key of ``OPERATORS``."""
    compare = OPERATORS[operator]
    return lambda node, document: compare(left(node, document), right(node, document), document.budget)


def matches(left: Operand, pattern: str, flags: str) -> Condition:
    """Return the condition that the whole of ``left`` matches ``/pattern/flags``; numbers are matched as text.

    Patterns are RE2's: matching takes time in proportion to the text, whatever the pattern. There are no references
    back and no looks around, which cannot be had so.
    """
    compiled = _compile(pattern, flags)
    weight = 1 + compiled.programsize // _USUAL_PATTERN

    def condition(node: Json, document: Document) -> bool:
        value = left(node, document)
        if not isinstance(value, str | int | float):
            return False
        text = java_text(value)
        document.budget.spend(1 + len(text) * weight // _MATCHED_PER_STEP)
        return compiled.fullmatch(text) is not None

    return condition


def _compile(pattern: str, flags: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_BYTES
    if unknown := set(flags) - set("imsduU"):
        raise BadExpression(f"The pattern /{pattern}/{flags} has the unknown flag {min(unknown)!r}.")
    inline = "".join(sorted(set(flags) & set("ims")))
    try:
        return re2.compile(f"(?{inline}:{pattern})" if inline else pattern, options)
    except re2.error as fault:
        why = fault.args[0].decode("utf-8", "replace") if fault.args and isinstance(fault.args[0], bytes) else fault
        raise BadExpression(
            f"The pattern /{pattern}/ cannot be read: {why}. Patterns are RE2's, without references back and without "
            "looks ahead or behind."
        ) from None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Json, right: Json, budget: Budget) -> bool:
    """Compare as Jayway does: a number and a text holding the same number are equal, ``true`` and ``1`` are not."""
    if _is_number(left) and isinstance(right, str):
        try:
            return bool(left == float(right))
        except ValueError:
            return False
    if isinstance(left, str) and _is_number(right):
        return left == java_text(right)
    return _alike(left, right, budget)


def _alike(left: Json, right: Json, budget: Budget) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    budget.spend_on(left)
    return bool(left == right)


def _same(left: Json, right: Json, budget: Budget) -> bool:
    """Compare without converting: ``===``."""
    if isinstance(left, str) != isinstance(right, str):
        return False
    return _alike(left, right, budget)


def _ordered(test: Callable[[Json, Json], bool]) -> Comparison:
    """Apply ``test`` to two numbers or two texts; anything else is not ordered."""

    def compare(left: Json, right: Json, budget: Budget) -> bool:
        comparable = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        budget.spend_on(left if comparable else None)
        return comparable and test(left, right)

    return compare


def _not(compare: Comparison) -> Comparison:
    return lambda left, right, budget: not compare(left, right, budget)


def _member(value: Json, collection: Json, budget: Budget) -> bool:
    return isinstance(collection, list | tuple) and any(_equal(value, element, budget) for element in collection)


def _contains(left: Json, right: Json, budget: Budget) -> bool:
    if isinstance(left, str):
        budget.spend_on(left)
        return isinstance(right, str) and right in left
    return _member(right, left, budget)


def _has_size(left: Json, right: Json, budget: Budget) -> bool:
    return isinstance(left, str | list | tuple) and _is_number(right) and len(left) == right


def _is_empty(left: Json, right: Json, budget: Budget) -> bool:
    return isinstance(left, str | list | tuple | Mapping) and isinstance(right, bool) and (not left) == right


def _all_in(left: Json, right: Json, budget: Budget) -> bool:
    return isinstance(left, list | tuple) and all(_member(element, right, budget) for element in left)


def _any_in(left: Json, right: Json, budget: Budget) -> bool:
    return isinstance(left, list | tuple) and any(_member(element, right, budget) for element in left)


OPERATORS: Mapping[str, Comparison] = {
    "===": _same,
    "!==": _not(_same),
    "==": _equal,
    "!=": _not(_equal),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
    "in": _member,
    "nin": _not(_member),
    "contains": _contains,
    "size": _has_size,
    "empty": _is_empty,
    "subsetof": _all_in,
    "anyof": _any_in,
    "noneof": _not(_any_in),
    "all": lambda left, right, budget: _all_in(right, left, budget),
}
