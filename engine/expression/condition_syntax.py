"""Telling conditions that can only read from scripts that may leave traces behind."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

#: The names that a plain condition may use besides words of the language.
CONDITION_NAMES: Final = frozenset({"$", "loopIndex", "loopItem"})

_WORDS: Final = CONDITION_NAMES | {
    "if",
    "else",
    "true",
    "false",
    "null",
    "undefined",
    "NaN",
    "Infinity",
    "typeof",
    "in",
}

_TOKEN: Final = re.compile(
    r"""
    (?P<blank>[ \t\r\n]+)
  | (?P<value>'[^'\\\r\n]*' | "[^"\\\r\n]*" | \d{1,15}(?:\.\d{1,15})?(?![\w$.]) | (?:\?\.|\.)\s*[A-Za-z_$][\w$]*)
  | (?P<word>[A-Za-z_$][\w$]*)
  | (?P<operator>===|!==|==|!=|<=|>=|&&|\|\||\?\?|\+(?!\+)|-(?!-)|\?(?!\.)|[<>!*%:,;(\[])
  | (?P<closing>[)\]])
  | (?P<brace>[{}])
    """,
    re.VERBOSE,
)


#: Characters; what is longer is taken for a script, so that remembering the answers takes little memory.
_LONGEST: Final = 2_000


def only_reads(source: str) -> bool:
    """Return whether ``source`` is made of nothing but reads, comparisons, arithmetic, ``?:`` and ``if``/``else``.

    Such a script assigns nothing, calls nothing and repeats nothing, so it cannot change the interpreter it runs in.
    The test is by tokens and errs on the safe side: most conditions pass, and what does not is merely slower.
    """
    return len(source) <= _LONGEST and _only_reads(source)


@lru_cache(maxsize=2_048)
def _only_reads(source: str) -> bool:
    previous, at = "", 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None or not _may_follow(previous, found):
            return False
        at = found.end()
        if found.lastgroup == "word":
            previous = found.group() if found.group() in ("if", "else", "typeof", "in") else "value"
        elif found.lastgroup != "blank":
            previous = found.group() if found.lastgroup in ("operator", "closing", "brace") else "value"
    return True


def _may_follow(previous: str, found: re.Match[str]) -> bool:
    """Return whether the token keeps the script from calling and from making objects with methods."""
    text = found.group()
    if found.lastgroup == "word":
        return text in _WORDS
    if text == "(":
        return previous not in ("value", ")", "]", "}")
    if text == "{":
        return previous in (")", "else")
    return True
