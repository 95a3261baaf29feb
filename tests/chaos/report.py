"""The table at the end: faults, runs, what is stuck or lost, what ran more than once, how long recovery took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.recovery import Recovery

#: Faults that came before the one before was overcome; their recovery is measured after the last.
SEVERAL = "several in a row"


@dataclass
class Report:
    """What a run of the chaos came to."""

    command: str
    versions: str
    seconds: float = 0.0
    settled: float = 0.0
    injected: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[Recovery]] = field(default_factory=dict)
    confirmed: int = 0
    resent: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    stuck: Sequence[str] = ()
    lost: Sequence[str] = ()
    wiped: int = 0
    wiped_and_ended: int = 0
    wrong: Sequence[str] = ()
    dead_letters: int = 0
    deaths: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    executed_again: int = 0

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.stuck or self.lost or self.wrong)

    def show(self, console: Console) -> None:
        """Print the tables."""
        console.print(f"\n{self.command}\n{self.versions}; {self.seconds:.0f} s of faults", highlight=False)
        console.print(self._faults())
        console.print(self._outcome())

    def _faults(self) -> Table:
        table = Table("fault", "injected", "new work, s", "all work, s", caption=_CAPTION, caption_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for kind in sorted({*self.injected, *self.recoveries}):
            measured = self.recoveries.get(kind, [])
            new, old = ([getattr(each, name) for each in measured] for name in ("new", "old"))
            table.add_row(kind, str(self.injected[kind] or "–"), _longest(new), _longest(old))
        every = [each for measured in self.recoveries.values() for each in measured]
        table.add_section()
        table.add_row(
            "all; longest recovery",
            str(self.injected.total()),
            _longest([each.new for each in every]),
            _longest([each.old for each in every]),
        )
        return table

    def _outcome(self) -> Table:
        table = Table("outcome", "count")
        table.columns[1].justify = "right"
        rows: dict[str, Any] = {
            "seconds from the last fault until everything had ended": round(self.settled),
            "starts confirmed": self.confirmed,
            "  published more than once until confirmed": self.resent,
            "workflows, with sub-workflows and failure workflows": self.runs.total(),
            **{f"  {status}": number for status, number in sorted(self.runs.items())},
            "stuck": len(self.stuck),
            "lost": len(self.lost),
            "gone with a wiped disk of the only broker": self.wiped,
            "  of them ended well once published again": self.wiped_and_ended,
            "ended otherwise than they should": len(self.wrong),
            "dead letters": self.dead_letters,
            "processes that ended unasked": self.deaths.total(),
            "executions of tasks": self.executions,
            "  tasks executed more than once": self.executed_again,
        }
        for name, number in rows.items():
            table.add_row(name, str(number))
        return table


#: What the columns of the first table mean.
_CAPTION = (
    "Longest time until a new run had ended on every partition, and until every run that was open had moved on; "
    "counted from a kill or cut, or from when the server, process or line was there again."
)


def executions(file: Path) -> tuple[int, int]:
    """Return how many executions the workers noted, and how many task ids among them came more than once."""
    ids = Counter(line.split()[0] for line in file.read_text().splitlines() if line)
    return ids.total(), sum(1 for number in ids.values() if number > 1)


def _longest(seconds: Sequence[float | None]) -> str:
    if not seconds:
        return "–"
    return "never" if None in seconds else f"{max(each for each in seconds if each is not None):.1f}"
