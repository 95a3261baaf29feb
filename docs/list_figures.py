"""Puts the figures that `make bench` has measured into `performance.md`: `python -m docs.list_figures`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, Results
from benchmarks.table import cells_of
from docs.markers import replaced

PAGE = Path(__file__).parent / "performance.md"


def figures_of(page: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with those figures, one row each, in place of the ones it had."""
    headings, *cells = cells_of(rows)
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)], *cells]
    return replaced(page, "figures", "\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    found = Results(RESULTS).rows
    if not found:
        sys.exit(f"{RESULTS} has no figures: run `make bench` first.")
    PAGE.write_text(figures_of(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
