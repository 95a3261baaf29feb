"""The tables at the end: faults, runs, what is stuck or lost, what ran more than once, how long recovery took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.chaos.faults import FAULTS, TARGETS
from tests.chaos.recovery import Recovery

#: Faults that came before the one before was overcome; their recovery is measured after the last.
SEVERAL: Final = "several in a row"

_MEANING: Final = (
    "Longest times until a new run had ended on every partition and the server was healthy, and until every run that "
    "was open had moved on; counted from a kill or cut, or from when the server, process or line was there again."
)

_FAULT_COLUMNS: Final = ("fault", "injected", "new work, s", "all work, s", "target, s")
_OUTCOME_COLUMNS: Final = ("outcome", "count")


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
    silences: Sequence[str] = ()

    def faults(self) -> list[str]:
        """Return every promise that was not kept, in words."""
        broken = {
            "stuck": len(self.stuck),
            "lost": len(self.lost),
            "ended otherwise than they should": len(self.wrong),
            "gone with the disk and not ended when published again": self.wiped - self.wiped_and_ended,
            "dead letters": self.dead_letters,
            "processes that ended unasked": self.deaths.total(),
        }
        longest = {kind: max((each.seconds for each in self.recoveries.get(kind, ())), default=0.0) for kind in TARGETS}
        late = [
            f"{kind}: work went on after {longest[kind]:.1f} s, not within {target:g} s"
            for kind, target in TARGETS.items()
            if longest[kind] > target
        ]
        return [f"{number} {what}" for what, number in broken.items() if number] + late

    def show(self, console: Console) -> None:
        """Print the tables."""
        console.print(f"\n{self._heading()}", highlight=False)
        for columns, rows in ((_FAULT_COLUMNS, self._faults()), (_OUTCOME_COLUMNS, self._outcome())):
            table = Table(*columns)
            for column in table.columns[1:]:
                column.justify = "right"
            for row in rows:
                table.add_row(*row)
            console.print(table)
            if columns is _FAULT_COLUMNS:
                console.print(_MEANING, highlight=False)

    def markdown(self) -> str:
        """Return the tables for a page."""
        parts = [f"    {self._heading()}".replace("\n", "\n    ")]
        for columns, rows in ((_FAULT_COLUMNS, self._faults()), (_OUTCOME_COLUMNS, self._outcome())):
            rule = ["---", *("---:" for _ in columns[1:])]
            parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)))
        return "\n\n".join([*parts[:2], _MEANING, *parts[2:]]) + "\n"

    def _heading(self) -> str:
        return f"{self.command}\n{self.versions}; {self.seconds:.0f} s of faults"

    def _faults(self) -> Iterator[tuple[str, ...]]:
        for kind in (*FAULTS, SEVERAL):
            measured = self.recoveries.get(kind, [])
            target = f"{TARGETS[kind]:g}" if kind in TARGETS else ""
            yield (kind, str(self.injected[kind] or "–"), *_longest(measured), target)
        every = [each for measured in self.recoveries.values() for each in measured]
        yield ("all; longest recovery", str(self.injected.total()), *_longest(every), "")

    def _outcome(self) -> Iterator[tuple[str, str]]:
        rows: dict[str, int] = {
            "seconds from the last fault until everything had ended": round(self.settled),
            "starts confirmed": self.confirmed,
            "… published more than once until confirmed": self.resent,
            "workflows, with sub-workflows and failure workflows": self.runs.total(),
            **{f"… {status}": number for status, number in sorted(self.runs.items())},
            "stuck": len(self.stuck),
            "lost": len(self.lost),
            "gone with a wiped disk of the only broker": self.wiped,
            "… of them ended well once published again": self.wiped_and_ended,
            "ended otherwise than they should": len(self.wrong),
            "dead letters": self.dead_letters,
            "processes that ended unasked": self.deaths.total(),
            "executions of tasks by Celery workers": self.executions,
            "… tasks executed more than once": self.executed_again,
            "attempts of which nothing was heard any more": len(self.silences),
        }
        for name, number in rows.items():
            yield name, str(number)


def _longest(measured: Sequence[Recovery]) -> tuple[str, str]:
    return _most([each.new for each in measured]), _most([each.old for each in measured])


def _most(seconds: Sequence[float | None]) -> str:
    if not seconds:
        return "–"
    return "never" if None in seconds else f"{max(each for each in seconds if each is not None):.1f}"
