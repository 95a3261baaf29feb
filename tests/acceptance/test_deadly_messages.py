"""A message that crashes the decider's process is set aside after a few crashes; the partition and its runs go on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.endpoint import Servers
from engine.broker.opening import open_broker
from engine.config import Settings
from engine.wire.message import START_QUEUE, events_queue
from tests.acceptance.conftest import own_servers
from tests.acceptance.processes import ROOT, Process, until
from tests.acceptance.stack import Stack, simple, task_def, vanilla, workflow
from tests.acceptance.supervisor import Supervisor

#: A package of somebody's with task types that take the whole process along: a fault in C code, an endless loop.
TYPE = """
import ctypes

from engine.tasks.step import Complete, TaskType


class Crash(TaskType):
    name = "CRASH"

    def start(self, at):
        ctypes.string_at(0)
        return Complete()


class Hang(TaskType):
    name = "HANG"

    def start(self, at):
        while True:
            pass


TYPES = (Crash(), Hang())
"""

HANG = {"name": "hang", "taskReferenceName": "hang", "type": "HANG"}
CRASH = {"name": "crash", "taskReferenceName": "crash", "type": "CRASH"}
NOTHING = {"name": "nothing", "taskReferenceName": "nothing", "type": "NOOP"}

NEIGHBOURS = 10

#: Seconds for several deciders to start and crash, one after the other.
LONG = 90.0


@pytest.fixture(scope="module")
def fragile(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a stack of one partition whose deciders know a task type that kills them; no decider runs yet."""
    packages = tmp_path_factory.mktemp("packages")
    (packages / "crash_type.py").write_text(TYPE)
    (packages / "crash_type-1.0.dist-info").mkdir()
    (packages / "crash_type-1.0.dist-info" / "entry_points.txt").write_text("[baton.task_types]\ncrash = crash_type\n")
    (packages / "crash_type-1.0.dist-info" / "METADATA").write_text("Name: crash_type\nVersion: 1.0\n")
    with own_servers(servers) as (database_url, broker_url):
        folder = tmp_path_factory.mktemp("fragile")
        path = f"{packages}:{ROOT}"
        stack = Stack(folder, database_url, broker_url, BATON_PARTITIONS="1", BATON_STUCK_SECONDS="1", PYTHONPATH=path)
        try:
            timekeeper = stack.baton("timekeeper")
            stack.serve()
            stack.ready(timekeeper)
            add = simple("add", left=1, right=2)
            stack.define(
                workflow("crashes", CRASH),
                workflow("hangs", HANG),
                workflow("does nothing", NOTHING),
                workflow("adds and crashes", add, CRASH),
                workflow("adds", add, NOTHING),
                tasks=[task_def("add", responseTimeoutSeconds=600)],
            )
            yield stack
        finally:
            stack.close()


def decider(stack: Stack) -> Process:
    return stack.baton("decider")


def letters(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.command("dead", "list")["results"]
    return found


def status(stack: Stack, run: str) -> str | None:
    found = (stack.run(run) or {}).get("status")
    return None if found is None else str(found)


def waiting(stack: Stack, queue: str) -> int:
    broker = open_broker(stack.broker_url)
    try:
        return broker.ready(queue) or 0
    finally:
        broker.close()


def died(supervisor: Supervisor, exit_code: int) -> int:
    """Return how many deciders have died; all of them have died in this way."""
    assert set(supervisor.exit_codes) <= {exit_code}
    return len(supervisor.exit_codes)


@pytest.mark.parametrize(("name", "exit_code"), [("crashes", -signal.SIGSEGV), ("hangs", 1)])
def test_a_start_that_kills_deciders_is_set_aside_and_the_starts_beside_it_run(
    fragile: Stack, name: str, exit_code: int
) -> None:
    # Given starts that wait for a decider, so that it takes them all at once.
    neighbours = [fragile.start("does nothing") for _ in range(NEIGHBOURS)]
    culprit = fragile.start(name, message_id=f"a start that {name}")
    neighbours += [fragile.start("does nothing") for _ in range(NEIGHBOURS)]
    until("all starts wait", lambda: waiting(fragile, START_QUEUE) == 2 * NEIGHBOURS + 1)

    supervisor = Supervisor(lambda: decider(fragile))
    runs = [culprit, *neighbours]
    supervisor.until("all runs end", lambda: {status(fragile, run) for run in runs} <= {"COMPLETED", "FAILED"}, LONG)

    assert {status(fragile, run) for run in neighbours} == {"COMPLETED"}
    run = fragile.run(culprit)
    assert run is not None
    assert run["status"] == "FAILED"
    assert "3 processes died with this message in hand" in run["reasonForIncompletion"]
    (letter,) = (each for each in letters(fragile) if each["id"] == f"a start that {name}")
    assert letter["from"] == START_QUEUE
    assert letter["reason"] == run["reasonForIncompletion"]
    # Once as it came, once among those that came back, twice alone.
    assert died(supervisor, exit_code) == Settings().crash_limit + 1
    supervisor.process.ask_to_stop()
    supervisor.process.end()


def test_a_result_after_which_its_run_crashes_deciders_fails_that_run_and_no_other(fragile: Stack) -> None:
    # Given runs that wait for a worker while there is one, and then results that wait for a decider.
    first = decider(fragile)
    neighbours = [fragile.start("adds") for _ in range(NEIGHBOURS)]
    culprit = fragile.start("adds and crashes")
    neighbours += [fragile.start("adds") for _ in range(NEIGHBOURS)]
    runs = [culprit, *neighbours]
    until("all tasks wait", lambda: waiting(fragile, "add") == len(runs))
    first.kill()
    worker = fragile.celery("vanilla", "worker-adds", "-c", "1", "-Q", "add", **vanilla(fragile))
    until("all results wait", lambda: waiting(fragile, events_queue(0)) >= len(runs))
    before = len(letters(fragile))

    supervisor = Supervisor(lambda: decider(fragile))
    supervisor.until("all runs end", lambda: {status(fragile, run) for run in runs} <= {"COMPLETED", "FAILED"}, LONG)

    assert {status(fragile, run) for run in neighbours} == {"COMPLETED"}
    run = fragile.run(culprit)
    assert run is not None
    assert run["status"] == "FAILED"
    assert "processes died with this message in hand" in run["reasonForIncompletion"]
    assert len(letters(fragile)) == before + 1
    assert died(supervisor, -signal.SIGSEGV) == Settings().crash_limit + 1
    # The partition goes on.
    later = fragile.start("adds")
    supervisor.until("a later run ends", lambda: status(fragile, later) == "COMPLETED")
    for process in (worker, supervisor.process):
        process.ask_to_stop()
