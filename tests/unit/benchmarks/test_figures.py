"""The figures of the benchmarks: medians, ratios, targets, and the pure decision at a small size."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import decide
from benchmarks.figure import Figure, Round, Target
from benchmarks.results import Results
from benchmarks.run import SCENARIOS
from benchmarks.table import table_of
from docs.list_figures import figures_of

ROUNDS = [Round(value, {"decider": cpu}) for value, cpu in ((90.0, 0.5), (100.0, 0.3), (70.0, 0.4))]
CHAIN = Figure("chain", "tasks/s", ROUNDS, [Round(120.0), Round(100.0)], Target("≥", 0.85, of_ratio=True))


def test_a_figure_is_the_median_of_its_rounds_and_its_ratio_that_to_the_baselines_median() -> None:
    assert (CHAIN.value, CHAIN.baseline_value) == (90.0, 110.0)
    assert CHAIN.ratio == pytest.approx(90 / 110)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("≥", 0.8, of_ratio=True), True),
        (Target("≥", 0.85, of_ratio=True), False),
        (Target("≤", 90), True),
        (Target("≤", 89), False),
        (None, None),
    ],
)
def test_a_target_is_of_the_ratio_or_of_the_value(target: Target | None, met: bool | None) -> None:
    assert Figure("chain", "tasks/s", ROUNDS, CHAIN.baseline, target).met is met


def test_a_ratio_without_a_baseline_is_neither_met_nor_missed() -> None:
    assert Figure("chain", "tasks/s", ROUNDS, (), Target("≥", 1, of_ratio=True)).met is None


def test_results_have_the_machine_the_versions_and_every_figure(tmp_path: Path) -> None:
    Results(tmp_path / "results.json").put("chain", [CHAIN], None)
    written = json.loads((tmp_path / "results.json").read_text())
    assert set(written) == {"machine", "versions", "scenarios"}
    assert written["versions"]["celery"]
    (chain,) = written["scenarios"]
    assert chain["scenario"] == "chain"
    assert chain["met"] is False
    assert chain["target"] == "≥ 0.85 ×"
    assert chain["cpu_ms_per_task"] == {"decider": 0.4}
    assert chain["rounds"] == [90.0, 100.0, 70.0]


def test_a_scenario_measured_again_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    assert results.rows == []
    results.put("chain", [CHAIN, replace(CHAIN, scenario="chain: CPU")], None)
    results.put("start", [replace(CHAIN, scenario="start")], None)
    results.put("chain", [replace(CHAIN, rounds=ROUNDS[:1])], None)
    assert [(row["of"], row["scenario"], row["rounds"]) for row in results.rows] == [
        ("chain", "chain", [90.0]),
        ("start", "start", [90.0, 100.0, 70.0]),
    ]


def test_the_table_says_which_targets_are_missed() -> None:
    printed = StringIO()
    Console(width=160, file=printed).print(table_of([CHAIN.to_json()]))
    assert "≥ 0.85 × MISSED" in printed.getvalue()


def test_the_page_of_performance_has_a_row_for_each_figure() -> None:
    page = figures_of("Before\n<!-- figures -->\n<!-- /figures -->\nafter", [CHAIN.to_json()])
    assert "| chain | 90 tasks/s | 110 | 0.818 | ≥ 0.85 × MISSED | 0.400 |" in page
    assert page.startswith("Before")


def test_the_pure_decision_takes_chains_to_their_end() -> None:
    assert decide.rate(steps=10, runs=2) > 0


def test_the_readme_tells_of_every_scenario() -> None:
    told = Path("benchmarks/README.md").read_text(encoding="utf-8")
    assert [name for name in SCENARIOS if f"| {name} |" not in told] == []
