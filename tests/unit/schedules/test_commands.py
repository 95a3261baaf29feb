"""The commands under ``baton schedule``, against a whole engine in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.clock import SystemClock, after
from engine.decider.validate import check_workflow
from engine.model.schedule import ExecutionState, ScheduleExecution
from engine.testing.memory_store import MemoryStore
from tests.unit.cli.conftest import baton, connected, hub, server, store, unused_port

#: Fixtures of the commands' own tests.
__all__ = ["baton", "connected", "hub", "server", "store", "unused_port"]


@pytest.fixture
def file(store: MemoryStore, tmp_path: Path) -> Path:
    with store.transaction() as transaction:
        step = {"name": "write", "taskReferenceName": "write"}
        transaction.register_workflow(check_workflow({"name": "report", "tasks": [step]}), overwrite=True)
    document = {"name": "nightly", "cronExpression": "0 0 3 * * *", "startWorkflowRequest": {"name": "report"}}
    path = tmp_path / "nightly.json"
    path.write_text(json.dumps(document))
    return path


def test_a_schedule_is_saved_listed_paused_resumed_and_deleted(connected: Any, file: Path) -> None:
    assert connected("schedule", "list").out == "There is no schedule. Next: baton schedule save FILE\n"
    assert connected("schedule", "save", file).out.startswith("saved nightly: next ")
    listed = connected("schedule", "list").out
    assert "nightly" in listed
    assert "0 0 3 * * * UTC" in listed
    assert connected("schedule", "pause", "nightly", "--reason", "lunch").out == "nightly: paused (lunch)\n"
    assert connected("schedule", "show", "nightly").json["pausedReason"] == "lunch"
    assert connected("schedule", "resume", "nightly").out.startswith("nightly: next ")
    assert connected("schedule", "delete", "nightly").out == "nightly is deleted\n"
    assert connected("schedule", "delete", "nightly").code == 3


def test_a_file_may_hold_several(connected: Any, file: Path) -> None:
    one = json.loads(file.read_text())
    file.write_text(json.dumps([one, {**one, "name": "other"}]))
    saved = connected("schedule", "save", file, "-o", "json").json
    assert [each["name"] for each in saved] == ["nightly", "other"]


def test_a_schedule_that_cannot_work_is_refused_with_the_file(connected: Any, file: Path) -> None:
    file.write_text(file.read_text().replace("0 0 3", "0 0 33"))
    refused = connected("schedule", "save", file)
    assert refused.code == 2
    assert "nightly.json" in refused.err
    assert "cronExpression: '33' is no hour" in refused.err
    file.write_text("{")
    assert "is not JSON" in connected("schedule", "save", file).err


def test_the_next_dates_of_a_schedule_and_of_an_expression(connected: Any, file: Path) -> None:
    connected("schedule", "save", file)
    assert len(connected("schedule", "next", "nightly").out.splitlines()) == 5
    assert len(connected("schedule", "next", "@daily", "--count", "2", "-o", "json").json) == 2
    refused = connected("schedule", "next", "0 9 * * *")
    assert (refused.code, "5 fields" in refused.err) == (2, True)


def test_what_became_of_the_dates_is_listed(connected: Any, file: Path, store: MemoryStore) -> None:
    connected("schedule", "save", file)
    assert connected("schedule", "runs", "nightly").out == "None of its dates has come yet.\n"
    now = SystemClock().now()
    with store.transaction() as transaction:
        failed = ScheduleExecution(
            id="e",
            schedule="nightly",
            at=after(now, -60),
            cron="0 0 3 * * *",
            zone="UTC",
            state=ExecutionState.FAILED,
            reason="No such workflow defined",
            workflow_name="report",
            executed_at=now,
        )
        transaction.put_executions([failed])
    listed = connected("schedule", "runs", "nightly").out
    assert "FAILED" in listed
    assert "No such workflow defined" in listed
    assert connected("schedule", "runs", "nobody").code == 3
