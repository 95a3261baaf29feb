"""Reads free text: words that are looked for in a whole record, as ``docs/guides/search.md`` tells."""

from __future__ import annotations

import re
from typing import Final

from engine.errors import BadMessage
from engine.search.condition import EVERYTHING, Condition, Contains, Some, Wild, every, opposite
from engine.search.pattern import read_pattern
from engine.search.subject import Subject

#: Characters of a free text, words in it, and wildcards in a word.
_LONGEST: Final = 1_000
_MOST_WORDS: Final = 20
_MOST_WILDCARDS: Final = 4

_WORD: Final = re.compile(r'\s*([+-]?)(?:"((?:\\.|[^"\\])*)"|((?:\\.|[^\s|&\\]|\\)+)|([|&]))', re.DOTALL)


def read_free_text(text: str, subject: Subject) -> Condition:
    """Return the condition that all words are in a record, everything for none or ``*``.

    ``|`` stands between alternatives, ``-`` before a word that must not be there, ``"`` around several that belong
    together. Raises ``BadMessage`` for more than there is time for.
    """
    if len(text) > _LONGEST:
        raise BadMessage(f"freeText has {len(text):,} characters, the limit is {_LONGEST:,}.")
    alternatives: list[list[Condition]] = [[]]
    words = 0
    for sign, quoted, bare, joint in _WORD.findall(text):
        if joint == "|":
            alternatives.append([])
        pattern = read_pattern(quoted or bare)
        if joint or pattern in ((), (Wild.MANY,)):
            continue
        words += 1
        if words > _MOST_WORDS or sum(isinstance(piece, Wild) for piece in pattern) > _MOST_WILDCARDS:
            raise BadMessage(f"freeText may have {_MOST_WORDS} words with {_MOST_WILDCARDS} wildcards each.")
        found = Contains(subject.words_in, pattern)
        alternatives[-1].append(opposite(found) if sign == "-" else found)
    written = [every(each) for each in alternatives if each]
    if not written:
        return EVERYTHING
    return written[0] if len(written) == 1 else Some(tuple(written))
