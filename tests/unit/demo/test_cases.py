"""How the demo judges its runs, and that its README promises the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo.cases import Case, compensation_id, load

CASES = {case.name: case for case in load()}
README = Path(__file__).parents[3] / "demo" / "README.md"


def ended(case: Case, **changes: Any) -> dict[str, Any]:
    """A run as the server shows it, that ended as the case says."""
    outcome = case.outcome
    run = {"workflowName": outcome.workflow, "status": outcome.status, "output": dict(outcome.output)}
    return {**run, "reasonForIncompletion": outcome.reason, **changes}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_run_that_ended_as_promised_has_no_faults(case: Case) -> None:
    assert case.outcome.faults(ended(case, output={**case.outcome.output, "more": 1})) == []


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_every_status_but_the_promised_one_is_a_fault(case: Case) -> None:
    for status in {"COMPLETED", "FAILED", "TIMED_OUT", "TERMINATED", "RUNNING"} - {case.outcome.status}:
        assert any(f"ended {status}" in fault for fault in case.outcome.faults(ended(case, status=status)))


def test_a_difference_deep_in_the_output_is_named_by_its_place() -> None:
    case = CASES["media_processing"]
    output = {**case.outcome.output, "thumbnails": {"small": "1 x 1", "medium": "480 x 320", "large": "960 x 640"}}

    assert case.outcome.faults(ended(case, output=output)) == [
        "output.thumbnails.small is '1 x 1', expected '160 x 107'"
    ]


def test_another_reason_than_the_promised_one_is_a_fault() -> None:
    case = CASES["order_fulfilment (declined)"]

    assert case.outcome.faults(ended(case, reasonForIncompletion="out of stock")) == [
        "the reason is 'out of stock', expected 'card ending 9995 was declined: insufficient funds' in it"
    ]


def test_a_failed_run_names_its_compensation() -> None:
    assert compensation_id({"output": {"conductor.failure_workflow": "w2"}}) == "w2"
    assert compensation_id({"output": {}}) is None


def test_all_six_workflows_are_run_and_the_declined_order_is_undone() -> None:
    assert len({case.workflow for case in CASES.values()}) == 6
    assert [case.name for case in CASES.values() if case.compensation] == ["order_fulfilment (declined)"]


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_readme_promises_what_is_checked(case: Case) -> None:
    rows = [line for line in README.read_text().splitlines() if f"`{case.input_file}`" in line]

    assert len(rows) == 1
    assert f"`{case.workflow}`" in rows[0]
    assert f"**{case.outcome.status}**" in rows[0]
    if case.compensation:
        assert f"`{case.compensation.workflow}` **{case.compensation.status}**" in rows[0]
