"""Every rule of the page on compatibility is told once, and names the tests that hold it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "compatibility.md"

#: Sections in which nothing may be missing: those of what definitions and operators can say.
_COMPLETE = {
    "JSON",
    "Workflow definitions",
    "Steps",
    "Task definitions",
    "Expressions",
    "States and retry",
    "Timeouts",
    "Ends",
    "Operations",
}


class Row(NamedTuple):
    section: str
    rule: str
    state: str
    remark: str
    held_by: str


def rows() -> Iterator[Row]:
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if cells and cells[0] not in ("rule", "type", "endpoint") and not set(cells[0]) <= set("-"):
            assert len(cells) == 4, f"{section}: {line}"
            yield Row(section, *cells)


ROWS = tuple(rows())


def test_every_rule_is_told_once_in_its_section() -> None:
    # Rules that begin with an ellipsis belong to the one above, and may be called alike.
    told = Counter((row.section, row.rule) for row in ROWS if not row.rule.startswith("…"))
    assert [rule for rule, count in told.items() if count > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section}: {row.rule}")
def test_a_rule_names_the_tests_that_hold_it(row: Row) -> None:
    assert row.state in ("matches", "deviates", "not yet")
    named = re.findall(r"`(tests/[^`]+)`", row.held_by)
    assert named or row.state == "not yet"
    for name in named:
        file, _, test = name.partition("::")
        assert (ROOT / file).exists(), name
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), name


def test_a_deviation_gives_its_reason() -> None:
    assert [row.rule for row in ROWS if row.state != "matches" and not row.remark] == []


def test_nothing_is_missing_of_what_definitions_and_operators_can_say() -> None:
    assert [row.rule for row in ROWS if row.section in _COMPLETE and row.state == "not yet"] == []
