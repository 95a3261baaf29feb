"""Secrets are in the message to the worker and nowhere else; the environment is an ordinary value."""

from __future__ import annotations

import json

import pytest

from engine.testing.harness import Harness
from tests.unit.decider.steps import child, fails, inputs, run_of, step


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.setenv("BATON_SECRET_TOKEN", "s3cret")
    monkeypatch.setenv("BATON_SECRET_LOGIN", '{"user": "ann"}')
    monkeypatch.setenv("BATON_ENV_REGION", "eu")
    return Harness()


def handed_out(harness, queue):
    """Return the inputs of the tasks that wait in a queue."""
    return [json.loads(delivery.message.body)[1] for delivery in harness.take(queue)]


def test_the_worker_gets_the_value_and_the_row_keeps_the_name(harness):
    named = {"auth": "Bearer ${workflow.secrets.TOKEN}", "who": ["${workflow.secrets.LOGIN.user}"], "n": 1}
    run = run_of(harness, step("a", **inputs(**named)))
    assert handed_out(harness, "a") == [{"auth": "Bearer s3cret", "who": ["ann"], "n": 1}]
    assert harness.task(run, "a").input == named


def test_a_template_of_the_task_definition_may_name_it_too(harness):
    run = run_of(harness, step("a"), defs=[{"name": "a", "inputTemplate": {"auth": "${workflow.secrets.TOKEN}"}}])
    assert handed_out(harness, "a") == [{"auth": "s3cret"}]
    assert harness.task(run, "a").input == {"auth": "${workflow.secrets.TOKEN}"}


def test_a_further_attempt_gets_it_again(harness):
    seen = []

    def fail_and_note(given):
        seen.append(given)
        fails(given)

    again = [{"name": "a", "retryCount": 1, "retryDelaySeconds": 0}]
    run_of(harness, step("a", **inputs(auth="${workflow.secrets.TOKEN}")), defs=again)
    harness.work({"a": fail_and_note})
    assert seen == [{"auth": "s3cret"}] * 2


def test_the_starter_of_a_run_cannot_have_a_secret_handed_out(harness):
    asked = "${workflow.secrets.TOKEN}"
    run_of(harness, step("a", **inputs(text="${workflow.input.text}", all="${workflow.input}")), given={"text": asked})
    assert handed_out(harness, "a") == [{"text": asked, "all": {"text": asked}}]


def test_a_worker_cannot_have_one_handed_out_to_the_next(harness):
    run_of(harness, step("a"), step("b", **inputs(said="${a.output.said}")))
    harness.work({"a": lambda _: {"said": "${workflow.secrets.TOKEN}"}})
    assert handed_out(harness, "b") == [{"said": "${workflow.secrets.TOKEN}"}]


def test_a_child_names_its_secrets_itself(harness):
    harness.register(
        {"name": "kid", "tasks": [step("k", **inputs(given="${workflow.input.t}", own="${workflow.secrets.TOKEN}"))]}
    )
    run_of(harness, child("c", "kid", **inputs(t="${workflow.secrets.TOKEN}")))
    assert handed_out(harness, "k") == [{"given": "${workflow.secrets.TOKEN}", "own": "s3cret"}]


def test_data_that_a_dynamic_fork_gives_its_branches_gets_none(harness):
    """What describes a branch is a definition, and may name them; the inputs beside it are data."""
    names = {"dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "given"}
    tasks = [step("a", **inputs(own="${workflow.secrets.TOKEN}"))]
    fork = step("d", "FORK_JOIN_DYNAMIC", **names, **inputs(tasks=tasks, given="${workflow.input.given}"))
    run_of(harness, fork, step("j", "JOIN"), given={"given": {"a": {"data": "${workflow.secrets.TOKEN}"}}})
    assert handed_out(harness, "a") == [{"own": "s3cret", "data": "${workflow.secrets.TOKEN}"}]


def test_an_unknown_one_is_null(harness):
    run_of(harness, step("a", **inputs(x="${workflow.secrets.NONE}", y="<${workflow.secrets.NONE}>")))
    assert handed_out(harness, "a") == [{"x": None, "y": "<>"}]


def test_the_environment_is_evaluated_and_stored(harness):
    run = run_of(harness, step("a", **inputs(region="${workflow.env.REGION}", none="${workflow.env.HOME}")))
    assert harness.task(run, "a").input == {"region": "eu", "none": None}
