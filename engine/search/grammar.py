"""Reads the query language: clauses joined by AND, OR, NOT and parentheses; see ``docs/guides/search.md``.

Read by hand, in one pass: ordinary values need no quotes and may have blanks in them, so what a character means depends
on where it stands, and every mistake is told with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from engine.errors import BadMessage
from engine.search.clause import Comparison, clause
from engine.search.condition import EVERYTHING, Condition, Present, Some, every, opposite
from engine.search.subject import Subject

#: Characters of a query: an address is not longer anyway.
LONGEST_QUERY: Final = 10_000

#: Values in all of a query; each is looked for in every record that the others leave.
_MOST_VALUES: Final = 1_000

#: Clauses, and parentheses and NOTs inside each other.
_MOST_CLAUSES: Final = 100
_DEEPEST: Final = 20

_BLANKS: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_OPERATOR: Final = re.compile(r"!=|<>|<=|>=|==|=|<|>")

#: A value without quotes ends at a blank or parenthesis, in a list also at a comma, unless a backslash stands before.
_BARE: Final = re.compile(r"(?:\\.|[^\s()\\]|\\)+", re.DOTALL)
_BARE_IN_LIST: Final = re.compile(r"(?:\\.|[^(),\\]|\\)+", re.DOTALL)
_QUOTED: Final = {quote: re.compile(rf"{quote}((?:\\.|[^{quote}\\])*){quote}", re.DOTALL) for quote in "'\""}

_COMPARISONS: Final = {each.value: each for each in Comparison} | {"<>": Comparison.DIFFERS, "==": Comparison.EQUALS}


def read_query(text: str, subject: Subject) -> Condition:
    """Return what a query asks for, everything for an empty one; raise ``BadMessage`` with the place of a mistake."""
    if len(text) > LONGEST_QUERY:
        raise BadMessage(f"The query has {len(text):,} characters, the limit is {LONGEST_QUERY:,}.")
    reader = _Reader(text, subject)
    return EVERYTHING if reader.at_end() else reader.whole()


class _Reader:
    """The query and how far it has been read."""

    def __init__(self, text: str, subject: Subject) -> None:
        self._text = text
        self._subject = subject
        self._at = 0
        self._depth = 0
        self._clauses = 0
        self._values = 0

    def at_end(self) -> bool:
        """Pass over blanks; tell whether nothing follows."""
        self._skip()
        return self._at == len(self._text)

    def whole(self) -> Condition:
        """Return the condition that all of the text is."""
        found = self._either()
        if not self.at_end():
            raise self._mistake("AND or OR is expected; a value with such words or signs in it stands in quotes")
        return found

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._keyword("OR"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _both(self) -> Condition:
        parts = [self._part()]
        while self._keyword("AND"):
            parts.append(self._part())
        return every(parts)

    def _part(self) -> Condition:
        if self._keyword("NOT"):
            return opposite(self._deeper(self._part))
        if self._sign("("):
            found = self._deeper(self._either)
            self._expect(")")
            return found
        return self._clause()

    def _deeper(self, read: Callable[[], Condition]) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._mistake(f"parentheses and NOTs may stand {_DEEPEST} deep")
        found = read()
        self._depth -= 1
        return found

    def _clause(self) -> Condition:
        self._clauses += 1
        if self._clauses > _MOST_CLAUSES:
            raise self._mistake(f"a query may have {_MOST_CLAUSES} clauses")
        self._skip()
        begin = self._at
        word = self._match(_WORD)
        field = self._subject.fields.get(word)
        if field is None:
            self._at = begin
            known = ", ".join(self._subject.fields)
            raise self._mistake(f"a field is expected; those of {self._subject.what} are {known}")
        if self._keyword("IS"):
            absent = self._keyword("NOT")
            if not self._keyword("NULL"):
                raise self._mistake("NULL or NOT NULL is expected")
            return Present(field) if absent else opposite(Present(field))
        if self._keyword("NOT"):
            return opposite(clause(word, field, *self._listing_or_span()))
        if (found := self._match(_OPERATOR)) != "":
            return clause(word, field, _COMPARISONS[found], (self._value(),))
        if self._keyword("STARTS_WITH"):
            return clause(word, field, Comparison.STARTS_WITH, (self._value(),))
        return clause(word, field, *self._listing_or_span())

    def _listing_or_span(self) -> tuple[Comparison, tuple[str, ...]]:
        if self._keyword("IN"):
            return Comparison.IN, self._list()
        if self._keyword("BETWEEN"):
            low = self._value(several_words=False)
            if not self._keyword("AND"):
                raise self._mistake("AND and the upper end are expected")
            return Comparison.BETWEEN, (low, self._value(several_words=False))
        raise self._mistake("one of =, !=, <, >, <=, >=, IN, BETWEEN, STARTS_WITH, IS NULL is expected")

    def _list(self) -> tuple[str, ...]:
        self._expect("(")
        values = [self._listed()]
        while self._sign(","):
            values.append(self._listed())
        self._expect(")")
        return tuple(values)

    def _listed(self) -> str:
        self._skip()
        quoted = self._quoted()
        return self._counted(self._bare(_BARE_IN_LIST).strip() if quoted is None else quoted)

    def _value(self, *, several_words: bool = True) -> str:
        """Return a value as it is written; without quotes it goes on to the next AND, OR or parenthesis."""
        self._skip()
        quoted = self._quoted()
        if quoted is not None:
            return self._counted(quoted)
        begin = self._at
        end = self._at + len(self._bare(_BARE))
        while several_words and not self.at_end() and self._peek() not in ("AND", "OR") and self._match(_BARE):
            end = self._at
        self._at = end
        return self._counted(self._text[begin:end])

    def _bare(self, pattern: re.Pattern[str]) -> str:
        found = self._match(pattern)
        if not found.strip():
            raise self._mistake("a value is expected; an empty one is written ''")
        return found

    def _counted(self, value: str) -> str:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise self._mistake(f"a query may have {_MOST_VALUES:,} values")
        return value

    def _quoted(self) -> str | None:
        quote = self._text[self._at : self._at + 1]
        if quote not in _QUOTED:
            return None
        found = _QUOTED[quote].match(self._text, self._at)
        if found is None:
            raise self._mistake("the quotation does not end")
        self._at = found.end()
        return found[1]

    def _skip(self) -> None:
        self._match(_BLANKS)

    def _match(self, pattern: re.Pattern[str]) -> str:
        """Pass over what fits; return it, empty when nothing does."""
        if pattern is not _BLANKS and pattern is not _BARE_IN_LIST:
            self._skip()
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _peek(self) -> str:
        """Return the next word in capitals."""
        self._skip()
        found = _WORD.match(self._text, self._at)
        return "" if found is None else found[0].upper()

    def _keyword(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._at += len(word)
        return True

    def _sign(self, sign: str) -> bool:
        self._skip()
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._mistake(f"{sign} is expected")

    def _mistake(self, expected: str) -> BadMessage:
        rest = self._text[self._at : self._at + 30]
        where = f"at character {self._at + 1}, {rest!r}" if rest else "at its end"
        return BadMessage(f"The query is not understood {where}: {expected}. An example: {self._subject.example}")
