"""Prints answers: JSON for programs, tables and short sentences for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from engine.masking import visible

if TYPE_CHECKING:
    from rich.console import Console

#: Columns of what is no terminal; programs that read it want whole lines.
_UNBOUNDED = 10_000

#: What a terminal might obey and JSON does not escape by itself: C1 controls, and marks that turn text around.
_UNSEEN = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

#: How each status looks; the words alone say the same, for terminals without colour.
STYLES = {
    "SCHEDULED": "cyan",
    "IN_PROGRESS": "blue",
    "RUNNING": "blue",
    "PAUSED": "yellow",
    "COMPLETED": "green",
    "COMPLETED_WITH_ERRORS": "yellow",
    "FAILED": "red",
    "FAILED_WITH_TERMINAL_ERROR": "red",
    "TIMED_OUT": "red",
    "TERMINATED": "magenta",
    "CANCELED": "magenta",
    "SKIPPED": "dim",
}


def print_json(value: Any) -> None:
    """Print one JSON document; characters that no one can see are escaped, as JSON allows."""
    click.echo(_UNSEEN.sub(_escape, json.dumps(value, indent=2, ensure_ascii=False)))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1]


def console() -> Console:
    """Return rich's console on standard output; into a pipe or file, lines are as long as they are."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, cut only in its last column; a column named Status is coloured."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        last = column == columns[-1]
        table.add_column(column, overflow="ellipsis" if last else "fold", no_wrap=last)
    for row in rows:
        cells = zip(columns, row, strict=True)
        table.add_row(
            *(Text(visible(cell, ""), style=STYLES.get(cell, "") if name == "Status" else "") for name, cell in cells)
        )
    console().print(table)


def duration(seconds: float) -> str:
    """Return a span of time as people say it: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def local_time(moment: str | int | None) -> str:
    """Return a time of the server, ISO or epoch milliseconds, in this machine's zone, to the second."""
    if not moment:
        return ""
    known = datetime.fromisoformat(moment) if isinstance(moment, str) else datetime.fromtimestamp(moment / 1_000, UTC)
    return known.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def print_done(workflow_id: str, what: str, output: str) -> None:
    """Say what has become of a run, as a sentence or as JSON."""
    if output == "json":
        print_json({"workflowId": workflow_id, "done": what})
    else:
        click.echo(f"{workflow_id} {what}")
