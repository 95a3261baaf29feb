"""Every parser that strangers can reach gives a value or its one kind of error, in time, whatever it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, Parser

CASES = Path(__file__).parents[1] / "fuzz" / "cases"

pytestmark = pytest.mark.timeout(120)

_settings = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def texts(parser: Parser) -> st.SearchStrategy[bytes]:
    """Make inputs of a parser's own words, of odd characters, and of bytes that are no text."""
    words = st.sampled_from(parser.words) if parser.words else st.nothing()
    odd = st.text(max_size=4) | st.sampled_from(["\0", "\n", "\x1b", "\u202e", "\ud800", "9" * 5_000, "[" * 3_000])
    pieces = st.lists(words | words | words | odd, max_size=40)
    joined = pieces.map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))
    return joined | st.tuples(st.binary(max_size=2), joined).map(b"".join) | st.binary(max_size=200)


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_is_read_is_a_value_or_refused(name: str) -> None:
    parser = PARSERS[name]

    @_settings
    @given(texts(parser))
    def any_input(data: bytes) -> None:
        parser.try_on(data)

    any_input()


def _kept() -> list[Path]:
    return sorted(path for path in CASES.rglob("*") if path.is_file() and not path.name.startswith("."))


@pytest.mark.parametrize("case", _kept(), ids=lambda path: f"{path.parent.name}/{path.name[:20]}")
def test_what_was_found_once_is_found_no_more(case: Path) -> None:
    PARSERS[case.parent.name.replace("_", " ")].try_on(case.read_bytes())
