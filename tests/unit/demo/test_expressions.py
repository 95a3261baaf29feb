"""The scripts and jq programs of the shipped workflows decide what their authors meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.expression.jq_program import run_jq
from engine.expression.script import evaluate_javascript
from engine.model.definition import WorkflowDef, WorkflowTask, read, walk

WORKFLOWS = Path(__file__).parents[3] / "definitions" / "workflows"


def step(workflow: str, reference: str) -> WorkflowTask:
    definition, _ = read(WorkflowDef, json.loads((WORKFLOWS / f"{workflow}.v1.json").read_text()), workflow)
    return next(found for _, found in walk(definition.tasks) if found.task_reference_name == reference)


def evaluated(script: str | None, given: Mapping[str, Any]) -> Any:
    assert script is not None
    return evaluate_javascript(script, {"$": given}, time_limit_seconds=1, memory_limit_bytes=16_000_000)


@pytest.mark.parametrize(
    ("status", "iteration", "again"),
    [("pending", 1, True), ("pending", 29, True), ("pending", 30, False), ("decided", 3, False)],
)
def test_the_verification_is_asked_until_it_has_decided_or_thirty_times(
    status: str, iteration: int, again: bool
) -> None:
    loop = step("identity_verification", "poll")
    given = {"poll": {"iteration": iteration}, "answer": {"response": {"body": {"status": status}}}}

    assert evaluated(loop.loop_condition, given) is again


@pytest.mark.parametrize(
    ("given", "decision"),
    [
        ({"status": "decided", "score": 95}, "approved"),
        ({"status": "decided", "score": 80}, "approved"),
        ({"status": "decided", "score": 79}, "rejected"),
        ({"status": "pending", "score": None}, "undecided"),
        ({"status": None, "score": None}, "undecided"),
    ],
)
def test_an_answer_is_weighed_by_its_score(given: dict[str, Any], decision: str) -> None:
    script = step("identity_verification", "verdict").input_parameters["expression"]

    assert evaluated(script, given)["decision"] == decision


@pytest.mark.parametrize(
    ("approved", "way"), [(True, "deploy"), (False, "reject"), (None, "reject"), ("true", "reject"), (1, "reject")]
)
def test_only_a_plain_yes_deploys(approved: object, way: str) -> None:
    assert evaluated(step("ci_cd_pipeline", "approved").expression, {"approved": approved}) == way


@pytest.mark.parametrize(("decision", "way"), [("approved", "accept"), ("rejected", "turn_down"), (None, "turn_down")])
def test_only_an_approved_customer_is_taken_in(decision: str | None, way: str) -> None:
    assert evaluated(step("customer_onboarding", "identity_decision").expression, {"decision": decision}) == way


def test_an_application_is_brought_into_one_form() -> None:
    program = step("customer_onboarding", "profile").input_parameters["queryExpression"]
    application = {"first_name": "Ada", "last_name": "King", "email": "Ada@Example.ORG", "passport_line": "AB <<1"}

    assert run_jq(program, {"application": application}) == [
        {"name": "Ada King", "email": "ada@example.org", "mrz": "AB<<1"}
    ]


def test_each_file_of_a_manifest_is_asked_for_by_its_head() -> None:
    program = step("media_processing", "checks").input_parameters["queryExpression"]

    assert run_jq(program, {"files": [{"url": "http://site/a.jpg", "bytes": 1}]}) == [
        [{"uri": "http://site/a.jpg", "method": "HEAD", "accept": "*/*"}]
    ]
