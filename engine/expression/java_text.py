"""Values as text: the form that names a SWITCH case, and the form spliced into a longer text."""

from __future__ import annotations

import json
from collections.abc import Mapping

from engine.errors import BadExpression
from engine.model.payload import Json


def java_text(value: Json) -> str:
    """Return ``value`` as Java prints it: ``1.0``, ``true``, ``null``, ``[a, b]``, ``{k=v}``.

    The keys of ``decisionCases`` are compared with this form (Conductor 3.2).
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return _java_double(value)
        case Mapping():
            return "{" + ", ".join(f"{key}={java_text(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(java_text, value)) + "]"
        case _:
            return str(value)


def embedded_text(value: Json) -> str:
    """Return ``value`` as it is spliced into a longer text: text as it is, everything else as JSON.

    Conductor prints Java's form of maps and lists there, which nothing can read back; this is a deviation on purpose.
    """
    if isinstance(value, str):
        return value
    try:
        return _JSON.encode(value)
    except RecursionError:
        raise BadExpression("A value spliced into a text is nested too deeply; pass it on as a whole.") from None


def _plain(value: object) -> Json:
    return dict(value) if isinstance(value, Mapping) else str(value)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)


def _java_double(number: float) -> str:
    """Return a double as ``Double.toString`` does: an exponent from ten million on, and below a thousandth."""
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    digits, _, exponent = f"{number!r}".partition("e")
    if not exponent:
        mantissa, exponent = _scientific(number)
        return f"{mantissa}E{int(exponent)}"
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def _scientific(number: float) -> tuple[str, str]:
    """Return mantissa and exponent with as many digits as ``repr`` needs."""
    significant = len(repr(abs(number)).replace(".", "").strip("0"))
    mantissa, _, exponent = f"{number:.{max(significant - 1, 1)}e}".partition("e")
    return mantissa, exponent
