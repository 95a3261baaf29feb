"""JSON paths as Conductor's users write them: Jayway's dialect, read once and evaluated many times.

The libraries at hand follow RFC 9535 or their own grammar: they refuse names such as ``a.$d`` or ``x:y``, know no
functions at the end of a path, and do not tell definite paths (one value or null) from indefinite ones (a list).
Conductor's definitions rely on all three, so the grammar is our own; its parts are ``jsonpath_syntax`` (text to
segments), ``jsonpath_segment`` (segments), ``jsonpath_filter`` (conditions) and ``jsonpath_function`` (functions).
"""

from __future__ import annotations

from functools import lru_cache

from engine.errors import BadExpression
from engine.expression.jsonpath_segment import Child, Path
from engine.expression.jsonpath_syntax import PathReader
from engine.model.payload import Json

__all__ = ["Path", "compile_path", "find", "named_root"]

#: Distinct path texts kept compiled, and the length beyond which one is read anew each time: a character takes up to a
#: hundred bytes once it is read, and a path may be made of data, so together they bound the cache to fifty megabytes.
_CACHED_PATHS = 2_048
_LONGEST_CACHED_PATH = 250

#: Characters; a longer path is refused. Nobody writes one, but a value spliced into a path may be of any length.
LONGEST_PATH = 10_000


def compile_path(text: str) -> Path:
    """Return the path that ``text`` describes; the leading ``$.`` or ``@.`` may be missing.

    Raises ``BadExpression`` when the text is no path: blank, leading blank, a blank in dot notation, a script index
    such as ``[(@.length-1)]``, unknown functions or operators, unclosed brackets.
    """
    if len(text) > LONGEST_PATH:
        raise BadExpression(f"The path {text[:60]!r}… has {len(text)} characters; at most {LONGEST_PATH} are read.")
    return _cached(text) if len(text) <= _LONGEST_CACHED_PATH else _compile(text)


def find(text: str, document: Json) -> Json:
    """Return what ``text`` finds in ``document``.

    A definite path gives the value, or ``None`` where there is none; an indefinite one (wildcard, filter, slice,
    union, ``..``) gives a list, empty when nothing is found. What is returned may be a part of ``document``.
    """
    return compile_path(text).find(document)


def named_root(path: Path) -> str | None:
    """Return the single name that ``path`` starts with, or ``None`` when it starts at the whole document."""
    first = path.segments[0] if path.segments else None
    return first.names[0] if isinstance(first, Child) and len(first.names) == 1 else None


def _compile(text: str) -> Path:
    try:
        return PathReader(text).read()
    except RecursionError:
        raise BadExpression(f"The path {text[:60]!r}… is nested too deeply to be read.") from None


_cached = lru_cache(maxsize=_CACHED_PATHS)(_compile)
