"""Reading the text of a JSON path: Jayway's grammar, from characters to segments.

path     := ["$" | "@"] step*            without a root sign, "$." is understood
step     := "." name | "." name "(" arguments ")" | ".*" | (".." | "...") step | "[" inside "]"
inside   := quoted ("," quoted)* | integer ("," integer)* | slice | "*" | "?(" condition ")"
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from engine.errors import BadExpression
from engine.expression.jsonpath_filter import (
    OPERATORS,
    Condition,
    Operand,
    comparison,
    exists,
    literal,
    looked_up,
    matches,
)
from engine.expression.jsonpath_function import FUNCTIONS, Argument, Call
from engine.expression.jsonpath_segment import Child, Descendants, Filter, Index, Path, Segment, Slice, Wildcard
from engine.model.payload import Json

#: How deep conditions, lists and paths may stand inside each other before the path is refused.
_DEEPEST = 50

_NAME_END = re.compile(r"[.\[( ]")
#: Inside a condition a path also ends where the comparison goes on.
_INNER_NAME_END = re.compile(r"[.\[( )\],=!<>&|\t]")
_SLICE = re.compile(r"(-?[0-9]{0,18})\s*:\s*(-?[0-9]{0,18})")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
#: As JSON writes them, so that ``json`` reads them.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,299})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,5})?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_FLAGS = re.compile(r"[A-Za-z]*")
_SYMBOL = re.compile(r"===|!==|==|!=|<=|>=|=~|<|>")
T = TypeVar("T")

_CONSTANTS = {"true": True, "false": False, "null": None}


class PathReader:
    """Reads one path, left to right, without going back."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._at = 0
        self._depth = 0

    def read(self) -> Path:
        """Return the whole text as a path, or raise ``BadExpression`` saying where it goes wrong."""
        if not self._text:
            raise self._fault("it is blank")
        if self._text[0].isspace():
            raise self._fault("it begins with a blank")
        if self._text[0] in "$@":
            self._at = 1
        segments = self._steps(_NAME_END, first_needs_dot=self._at == 1)
        if self._at < len(self._text):
            raise self._fault("this cannot follow here")
        return _path(segments)

    def _steps(self, name_end: re.Pattern[str], *, first_needs_dot: bool) -> list[Segment]:
        segments: list[Segment] = []
        if not first_needs_dot:
            segments.append(self._after_dot(name_end))
        while self._peek() in (".", "["):
            if self._accept(".."):
                # Conductor's own kitchen sink writes three.
                self._accept(".")
                segments.append(Descendants())
                segments.append(self._bracket() if self._peek() == "[" else self._after_dot(name_end))
            elif self._accept("."):
                segments.append(self._bracket() if self._peek() == "[" else self._after_dot(name_end))
            else:
                segments.append(self._bracket())
        return segments

    def _after_dot(self, name_end: re.Pattern[str]) -> Segment:
        if self._peek() == "[":
            return self._bracket()
        if self._accept("*"):
            return Wildcard()
        end = name_end.search(self._text, self._at)
        stop = end.start() if end else len(self._text)
        name = self._text[self._at : stop]
        if not name:
            raise self._fault("a name is missing")
        self._at = stop
        if self._peek() == " " and name_end is _NAME_END:
            raise self._fault("a name with a blank is written ['my key']")
        return self._call(name) if self._peek() == "(" else Child((name,))

    def _bracket(self) -> Segment:
        self._expect("[")
        self._skip_blanks()
        segment = self._inside()
        self._skip_blanks()
        self._expect("]")
        return segment

    def _inside(self) -> Segment:
        if self._peek() in ("'", '"'):
            return Child(tuple(self._separated(self._quoted)))
        if self._accept("*"):
            return Wildcard()
        if self._accept("?"):
            return self._filter()
        if self._peek() == "(":
            raise self._fault("a script as index is not supported; use [-1] for the last element")
        if found := _SLICE.match(self._text, self._at):
            self._at = found.end()
            start, stop = (int(bound) if bound not in ("", "-") else None for bound in found.groups())
            return Slice(start, stop)
        return Index(tuple(self._separated(self._integer)))

    def _call(self, name: str) -> Call:
        if name not in FUNCTIONS:
            raise self._fault(f"there is no function {name}(); a name with parentheses is written ['{name}(…)']")
        self._expect("(")
        arguments: list[tuple[Argument, bool]] = []
        self._skip_blanks()
        if self._peek() != ")":
            arguments = self._separated(self._argument)
        self._skip_blanks()
        self._expect(")")
        return Call(FUNCTIONS[name], tuple(arguments))

    def _argument(self) -> tuple[Argument, bool]:
        if self._peek() in ("$", "@"):
            relative = self._peek() == "@"
            return Argument(path=self._inner_path()), relative
        return Argument(literal=self._literal()), False

    def _filter(self) -> Filter:
        self._skip_blanks()
        self._expect("(")
        condition = self._either()
        self._skip_blanks()
        self._expect(")")
        return Filter(condition)

    def _either(self) -> Condition:
        self._descend()
        alternatives = [self._both()]
        while self._accept_after_blanks("||"):
            alternatives.append(self._both())
        self._depth -= 1
        if len(alternatives) == 1:
            return alternatives[0]
        return lambda node, document: any(holds(node, document) for holds in alternatives)

    def _both(self) -> Condition:
        conditions = [self._single()]
        while self._accept_after_blanks("&&"):
            conditions.append(self._single())
        if len(conditions) == 1:
            return conditions[0]
        return lambda node, document: all(holds(node, document) for holds in conditions)

    def _single(self) -> Condition:
        self._skip_blanks()
        if self._accept("!"):
            self._descend()
            opposite = self._single()
            self._depth -= 1
            return lambda node, document: not opposite(node, document)
        if self._accept("("):
            inner = self._either()
            self._skip_blanks()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        is_path = self._peek() in ("$", "@")
        left = self._operand()
        self._skip_blanks()
        operator = self._operator()
        if operator is None:
            if not is_path:
                raise self._fault("a comparison is missing")
            return exists(left)
        self._skip_blanks()
        if operator == "=~":
            return matches(left, *self._pattern())
        return comparison(left, operator, self._operand())

    def _operator(self) -> str | None:
        if symbol := _SYMBOL.match(self._text, self._at):
            self._at = symbol.end()
            return symbol.group()
        word = _WORD.match(self._text, self._at)
        if word is None:
            return None
        if word.group().lower() not in OPERATORS:
            raise self._fault(f"there is no operator {word.group()!r}")
        self._at = word.end()
        return word.group().lower()

    def _operand(self) -> Operand:
        if self._peek() in ("$", "@"):
            relative = self._peek() == "@"
            return looked_up(self._inner_path(), relative=relative)
        return literal(self._literal())

    def _inner_path(self) -> Path:
        self._at += 1
        self._descend()
        segments = self._steps(_INNER_NAME_END, first_needs_dot=True)
        self._depth -= 1
        return _path(segments)

    def _pattern(self) -> tuple[str, str]:
        self._expect("/")
        characters: list[str] = []
        while (character := self._next()) != "/":
            if character == "\\":
                following = self._next()
                characters.append(following if following == "/" else character + following)
            else:
                characters.append(character)
        flags = _FLAGS.match(self._text, self._at)
        self._at += len(flags.group()) if flags else 0
        return "".join(characters), flags.group() if flags else ""

    def _literal(self) -> Json:
        character = self._peek()
        if character in ("'", '"'):
            return self._quoted()
        if character == "[":
            return self._list()
        if character == "{":
            return self._map()
        if number := _NUMBER.match(self._text, self._at):
            self._at = number.end()
            return json.loads(number.group())
        word = _WORD.match(self._text, self._at)
        if word is None or word.group().lower() not in _CONSTANTS:
            raise self._fault("a value is missing; texts stand in quotes")
        self._at = word.end()
        return _CONSTANTS[word.group().lower()]

    def _list(self) -> list[Json]:
        self._descend()
        self._expect("[")
        self._skip_blanks()
        values = [] if self._peek() == "]" else self._separated(self._literal)
        self._skip_blanks()
        self._expect("]")
        self._depth -= 1
        return values

    def _map(self) -> Json:
        try:
            value, self._at = json.JSONDecoder().raw_decode(self._text, self._at)
        except ValueError as fault:
            raise self._fault(f"this is not JSON ({fault})") from None
        return value

    def _integer(self) -> int:
        number = _INTEGER.match(self._text, self._at)
        if number is None:
            raise self._fault("an index, a slice, a quoted name, * or ?(…) is expected")
        self._at = number.end()
        return int(number.group())

    def _quoted(self) -> str:
        quote = self._next()
        if quote not in ("'", '"'):
            raise self._fault("a quoted name is expected")
        characters: list[str] = []
        while (character := self._next()) != quote:
            characters.append(self._next() if character == "\\" else character)
        return "".join(characters)

    def _separated(self, read: Callable[[], T]) -> list[T]:
        values = [read()]
        while self._accept_after_blanks(","):
            self._skip_blanks()
            values.append(read())
        return values

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise self._fault("it ends too early")
        self._at += 1
        return character

    def _accept(self, word: str) -> bool:
        if not self._text.startswith(word, self._at):
            return False
        self._at += len(word)
        return True

    def _accept_after_blanks(self, word: str) -> bool:
        self._skip_blanks()
        return self._accept(word)

    def _expect(self, character: str) -> None:
        if not self._accept(character):
            raise self._fault(f"{character!r} is expected")

    def _skip_blanks(self) -> None:
        while self._peek().isspace():
            self._at += 1

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault(f"it is nested more than {_DEEPEST} deep")

    def _fault(self, what: str) -> BadExpression:
        return BadExpression(f"The path {self._text!r} cannot be read at character {self._at + 1}: {what}.")


def _path(segments: list[Segment]) -> Path:
    """Put the steps together: what counts as definite, and what a function is applied to, depends on its neighbours."""
    last = len(segments) - 1
    definite = True
    scanned = False
    arranged: list[Segment] = []
    for position, segment in enumerate(segments):
        step = segment
        if isinstance(segment, Child) and position < last:
            step = replace(segment, last=False)
        elif isinstance(segment, Call) and scanned:
            step = replace(segment, to_all=True)
            scanned, definite = False, True
        scanned = scanned or isinstance(segment, Descendants)
        definite = definite and step.definite
        arranged.append(step)
    return Path(tuple(arranged), definite)
