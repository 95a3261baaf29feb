"""Timekeepers are told of dates that they would find too late by themselves, and of no others."""

from __future__ import annotations

import pytest

from engine.broker.memory import MemoryConnection
from engine.clock import Instant, after
from engine.testing.harness import Harness
from engine.wire.nearer import NEARER_KEY, decode_nearer


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


@pytest.fixture
def harness() -> Harness:
    harness = Harness()
    wait = step("wait", "WAIT", inputParameters={"duration": "${workflow.input.duration}"})
    harness.register({"name": "waits", "tasks": [wait, step("work")]}, {"name": "works", "tasks": [step("work")]})
    return harness


@pytest.fixture
def listener(harness: Harness) -> MemoryConnection:
    listener = harness.broker.connect()
    listener.subscribe(NEARER_KEY, "baton.replies.dates")
    listener.consume("baton.replies.dates", 100)
    return listener


def told(listener: MemoryConnection) -> list[Instant]:
    return [decode_nearer(each) for each in listener.receive(100, 0)]


def test_a_date_within_the_next_seconds_is_told(harness: Harness, listener: MemoryConnection) -> None:
    harness.start("waits", {"duration": "3 seconds"})
    assert told(listener) == [after(harness.clock.now(), 3)]


def test_a_date_that_timekeepers_find_in_time_is_not_told(harness: Harness, listener: MemoryConnection) -> None:
    harness.start("waits", {"duration": "5 seconds"})
    harness.start("works")
    assert told(listener) == []


def test_a_date_is_told_once(harness: Harness, listener: MemoryConnection) -> None:
    run = harness.start("waits", {"duration": "3 seconds"})
    assert len(told(listener)) == 1
    harness.request(run, "update_variables", variables={"a": 1})
    assert told(listener) == []


def test_a_retry_that_is_due_soon_is_told(harness: Harness, listener: MemoryConnection) -> None:
    harness.register({"name": "again", "tasks": [step("work")]}, tasks=[{"name": "work", "retryDelaySeconds": 1}])
    harness.start("again")
    assert told(listener) == []

    def fails(_: object) -> object:
        raise ValueError("not now")

    harness.work({"work": fails})
    assert told(listener) == [after(harness.clock.now(), 1)]


def test_limited_tasks_have_the_limits_looked_at_soon(harness: Harness, listener: MemoryConnection) -> None:
    harness.register({"name": "limited", "tasks": [step("few")]}, tasks=[{"name": "few", "concurrentExecLimit": 1}])
    harness.start("limited")
    assert told(listener) == [after(harness.clock.now(), 0.2)]
