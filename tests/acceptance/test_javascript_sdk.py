"""@io-orkes/conductor-javascript, unmodified, carries tasks beside Celery and conductor-python."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import ROOT
from tests.acceptance.stack import Stack, simple, task_def, workflow
from tests.acceptance.test_python_sdk import carried

PROGRAM = Path(__file__).parent / "sdk_workers.mjs"
SDK = "@io-orkes/conductor-javascript@4.0.0"

#: Where the SDK is kept between two runs of the tests.
KEPT = ROOT / ".cache" / "javascript-sdk"


@pytest.fixture(scope="module")
def javascript() -> Path:
    """Return a folder with the SDK in it; skip where there is no Node, or no way to the SDK."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node is not installed: node and npm are needed for the JavaScript SDK")
    if not (KEPT / "node_modules" / "@io-orkes").is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        # Its optional peers, for agents, contradict each other.
        command = [npm, "install", "--legacy-peer-deps", "--no-audit", "--no-fund", "--prefix", str(KEPT), SDK]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm has not installed {SDK} within five minutes: is its registry within reach?")
        if done.returncode:
            pytest.skip(f"npm cannot install {SDK}: {done.stderr.strip()[-300:]}")
    return KEPT


@pytest.fixture(scope="module")
def stack(small: Stack, javascript: Path) -> Iterator[Stack]:
    """Return a stack with workers of all three kinds."""
    surroundings = {"CONDUCTOR_SERVER_URL": f"{small.url}/api"}
    workers = small.processes.start("javascript", ["node", str(PROGRAM), str(javascript)], surroundings)
    workers.says("js.ready")
    python = carried(small)
    yield small
    for each in (workers, python):
        each.ask_to_stop()
    for each in (workers, python):
        each.end()


def test_one_workflow_is_carried_by_celery_python_and_javascript(stack: Stack) -> None:
    steps = [
        simple("add", left="${workflow.input.number}", right=1),
        simple("sdk_double", number="${add.output.sum}"),
        simple("js_square", number="${sdk_double.output.number}"),
    ]
    stack.define(
        workflow("three_kinds", *steps, outputParameters={"number": "${js_square.output.number}"}),
        tasks=[task_def(name) for name in ("add", "sdk_double", "js_square")],
    )
    runs = [stack.start("three_kinds", input={"number": number}) for number in range(5)]
    assert [stack.ended(run)["output"]["number"] for run in runs] == [(2 * (number + 1)) ** 2 for number in range(5)]


def test_a_worker_that_throws_fails_its_task_with_the_reason(stack: Stack) -> None:
    stack.define(workflow("js_fails", simple("js_never")), tasks=[task_def("js_never")])
    run = stack.ended(stack.start("js_fails"))
    (task,) = run["tasks"]
    assert (run["status"], task["status"]) == ("FAILED", "FAILED")
    assert "not this way" in task["reasonForIncompletion"]
