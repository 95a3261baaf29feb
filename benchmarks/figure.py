"""One row of the table: what was measured, beside what, and what it had to be."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

_MEETS: Final[dict[str, Callable[[float, float], bool]]] = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True)
class Target:
    """What a figure has to reach: a sense (``≥`` or ``≤``), a limit, and whether the ratio or the value is meant."""

    sense: str
    limit: float
    of_ratio: bool = False

    def __str__(self) -> str:
        """Return it as the table shows it."""
        return f"{self.sense} {self.limit:g}{' ×' if self.of_ratio else ''}"


@dataclass(frozen=True)
class Round:
    """One measurement: a figure, and CPU milliseconds for each task by process."""

    value: float
    cpu_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A scenario's figure: medians of its rounds, and of its baseline's."""

    scenario: str
    unit: str
    rounds: Sequence[Round]
    baseline: Sequence[Round] = ()
    target: Target | None = None

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(each.value for each in self.rounds)

    @property
    def baseline_value(self) -> float | None:
        """The median of the baseline's rounds."""
        return median(each.value for each in self.baseline) if self.baseline else None

    @property
    def ratio(self) -> float | None:
        """The value over the baseline's."""
        return self.value / self.baseline_value if self.baseline_value else None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none, or nothing to compare with."""
        if self.target is None:
            return None
        reached = self.ratio if self.target.of_ratio else self.value
        return None if reached is None else _MEETS[self.target.sense](reached, self.target.limit)

    def to_json(self) -> dict[str, object]:
        """Return it as it stands in results.json."""
        return {
            "scenario": self.scenario,
            "value": _short(self.value),
            "unit": self.unit,
            "baseline": _short(self.baseline_value),
            "ratio": _short(self.ratio),
            "target": None if self.target is None else str(self.target),
            "met": self.met,
            "cpu_ms_per_task": middle_cpu(self.rounds),
            "baseline_cpu_ms_per_task": middle_cpu(self.baseline),
            "rounds": [_short(each.value) for each in self.rounds],
            "baseline_rounds": [_short(each.value) for each in self.baseline],
        }


def middle_cpu(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the median CPU milliseconds of each process."""
    names = rounds[0].cpu_ms if rounds else {}
    return {name: round(median(each.cpu_ms[name] for each in rounds), 3) for name in names}


def _short(figure: float | None) -> float | None:
    """Return a figure with the digits that mean something: four."""
    return None if figure is None else float(f"{figure:.4g}")
