"""Texts with wildcards: how they are written, and whether a text has their form."""

from __future__ import annotations

import json

from engine.search.condition import Pattern, Wild

_WILD = {each.value: each for each in Wild}

#: What loses its meaning behind a backslash; before anything else a backslash is one, as in the names of files.
_ESCAPED = frozenset("\\'\"*?(), ")


def read_pattern(text: str) -> Pattern:
    """Return a text as it was written, with ``*`` and ``?`` as wildcards and what follows a backslash as it is."""
    pieces: list[str | Wild] = []
    literal: list[str] = []
    characters = iter(range(len(text)))
    for at in characters:
        character = text[at]
        if character == "\\" and at + 1 < len(text) and text[at + 1] in _ESCAPED:
            literal.append(text[next(characters)])
        elif character in _WILD:
            _close(pieces, literal)
            if _WILD[character] is Wild.ONE or pieces[-1:] != [Wild.MANY]:
                pieces.append(_WILD[character])
        else:
            literal.append(character)
    _close(pieces, literal)
    return tuple(pieces)


def _close(pieces: list[str | Wild], literal: list[str]) -> None:
    if literal:
        pieces.append("".join(literal))
        literal.clear()


def plain(pattern: Pattern) -> str | None:
    """Return the text that a pattern is, None when it has wildcards."""
    if any(isinstance(piece, Wild) for piece in pattern):
        return None
    return "".join(piece for piece in pattern if isinstance(piece, str))


def has_form(text: str, pattern: Pattern) -> bool:
    """Tell whether the whole text has the pattern's form, in time of its length times the pattern's at most."""
    characters = [character for piece in pattern for character in (piece if isinstance(piece, str) else (piece,))]
    at = place = 0
    #: Where to go back to: behind the last ``*``, which then takes one character more.
    behind = taken = -1
    while at < len(text):
        wanted = characters[place] if place < len(characters) else None
        if wanted is Wild.MANY:
            behind, taken = place + 1, at
            place += 1
        elif wanted is Wild.ONE or wanted == text[at]:
            at, place = at + 1, place + 1
        elif behind >= 0:
            taken += 1
            at, place = taken, behind
        else:
            return False
    return all(rest is Wild.MANY for rest in characters[place:])


def contains(text: str, pattern: Pattern) -> bool:
    """Tell whether a part of the text has the pattern's form, in capitals or not."""
    folded = tuple(piece.lower() if isinstance(piece, str) else piece for piece in pattern)
    return has_form(text.lower(), (Wild.MANY, *folded, Wild.MANY))


def in_json(pattern: Pattern) -> Pattern:
    """Return a pattern with its texts as they stand inside of JSON's quotes."""
    return tuple(json.dumps(piece, ensure_ascii=False)[1:-1] if isinstance(piece, str) else piece for piece in pattern)
