"""The figures as a table: at the end of a run, and in the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

_MET = {True: "met", False: "MISSED", None: ""}

#: Whose processor time has a column; of the two brokers the one that was measured is there.
_PROCESSES = ("decider", "database", "rabbitmq", "redis", "worker", "server")


def cells_of(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the headings, then the cells of each figure as ``Results.rows`` has it."""
    processes = [name for name in _PROCESSES if any(name in row["cpu_ms_per_task"] for row in rows)]
    headings = ["scenario", "value", "baseline", "ratio", "target", *processes]
    return [headings, *(_cells(row, processes) for row in rows)]


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the figures as a table for a terminal."""
    table = Table(title="Medians; CPU in milliseconds for each task, user + system")
    headings, *cells = cells_of(rows)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for row in cells:
        table.add_row(*row)
    return table


def _cells(row: Mapping[str, Any], processes: Sequence[str]) -> list[str]:
    cpu = row["cpu_ms_per_task"]
    return [
        row["scenario"],
        f"{_figure(row['value'])} {row['unit']}",
        _figure(row["baseline"]),
        _figure(row["ratio"]),
        f"{row['target'] or ''} {_MET[row['met']]}".strip(),
        *(f"{cpu[name]:.3f}" if name in cpu else "" for name in processes),
    ]


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
