"""The table that a run of the benchmarks ends with."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.figure import Figure, middle_cpu

_MET = {True: "met", False: "MISSED", None: ""}


def table_of(figures: Sequence[Figure], broker: str) -> Table:
    """Return the figures as a table, one row each."""
    table = Table(title="Medians; CPU in milliseconds for each task, user + system")
    processes = ("decider", "database", broker, "worker", "server")
    for heading in ("scenario", "value", "baseline", "ratio", "target", *processes):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for each in figures:
        cpu = middle_cpu(each.rounds)
        table.add_row(
            each.scenario,
            f"{_figure(each.value)} {each.unit}",
            _figure(each.baseline_value),
            _figure(each.ratio),
            f"{each.target or ''} {_MET[each.met]}".strip(),
            *(f"{cpu[name]:.3f}" if name in cpu else "" for name in processes),
        )
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
