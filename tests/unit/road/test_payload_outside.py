"""Runs whose payloads are kept outside of their rows go on as others do, and end with a reason where one is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.outside import Outside
from engine.store.payload_storage import PayloadStorage
from engine.testing.harness import Harness

TEXT = "x" * 5_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "payloads"


@pytest.fixture
def harness(tmp_path: Path, folder: Path) -> Iterator[Harness]:
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    migrate(url)
    harness = Harness(store=open_store(url, outside=Outside(PayloadStorage(f"file://{folder}"), 1_000)))
    steps = [
        {"name": "a", "taskReferenceName": "a"},
        {"name": "b", "taskReferenceName": "b", "inputParameters": {"part": "${a.output.part}", "all": "${a.output}"}},
    ]
    harness.register({"name": "flow", "tasks": steps})
    yield harness
    harness.close()


def test_expressions_see_what_is_kept_outside_also_after_a_restart(harness: Harness) -> None:
    run = harness.start("flow")
    harness.work({"a": lambda _: {"text": TEXT, "part": 1}})
    harness.restart_decider()
    harness.work({"b": lambda given: {"seen": len(given["all"]["text"]), "part": given["part"]}})
    assert harness.run(run).status == "COMPLETED"
    assert harness.run(run).output == {"seen": len(TEXT), "part": 1}


def test_a_run_that_has_lost_a_payload_fails_with_the_reason_and_its_neighbours_go_on(
    harness: Harness, folder: Path
) -> None:
    lost, fine = harness.start("flow"), harness.start("flow")
    harness.work({"a": lambda _: {"text": TEXT}}, rounds=10)
    file = next(path for path in folder.rglob("*.json") if path.is_file())
    file.unlink()
    harness.restart_decider()
    harness.work({"b": lambda _: {}})
    ended = {harness.run(each).status.value: harness.run(each).reason for each in (lost, fine)}
    assert set(ended) == {"FAILED", "COMPLETED"}
    assert "is lost" in str(ended["FAILED"])
