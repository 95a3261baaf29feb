"""What a task definition wants handed to its worker by name: in the task's message, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from engine.testing.harness import Harness
from tests.unit.decider.steps import run_of, step


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setenv("BATON_SECRET_API_KEY", "s3cret")
    monkeypatch.setenv("BATON_ENV_REGION", "north")
    monkeypatch.setenv("BATON_ENV_API_KEY", "not this one")
    return Harness()


def handed(harness: Harness, *names: str) -> object:
    run = run_of(harness, step("a"), defs=[{"name": "a", "runtimeMetadata": list(names)}])
    (delivery,) = harness.take("a")
    rows = msgspec.json.encode(harness.rows(run).tasks)
    assert b"s3cret" not in rows
    assert b"north" not in rows
    return delivery.message.headers.get("runtime_metadata")


def test_secrets_and_values_of_the_environment_are_handed_out_by_name(harness):
    assert handed(harness, "API_KEY", "REGION") == {"API_KEY": "s3cret", "REGION": "north"}


def test_names_that_nobody_knows_are_left_out(harness):
    assert handed(harness, "REGION", "PATH", "../etc/passwd") == {"REGION": "north"}
    assert handed(harness, "UNKNOWN") is None


def test_without_names_nothing_is_handed_out(harness):
    assert handed(harness) is None
