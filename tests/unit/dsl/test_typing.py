"""Type checkers see through it: what users write passes mypy's strict mode, and what is wrong does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """
from engine.dsl import Task, Value, each, fork, switch, workflow
from engine.testing import failed, rehearse

pack = Task("pack", retry_count=3, retry_logic="FIXED")

@workflow(version=1, timeout_seconds=60)
def order(lines: Value, size: Value) -> dict[str, Value]:
    with each("go", lines) as line:
        pack("one", line=line.item).options(optional=True)
    with switch("by_size", size=size) as by_size, by_size.case("big"):
        pack("big")
    with fork("both") as both, both.branch():
        box = pack("box")
    return {"box": box.output.number, "all": both.output, "version": box.output[0]}

print(order.to_json()["name"], order.version)

outcome = rehearse(order, {"lines": []}, {"big": [failed("no room"), {"number": 1}], "box": lambda given: given})
print(outcome.status, outcome.output.get("box"), outcome.task("box").input, outcome.seconds)
"""

BAD = """
from engine.dsl import Task, wait, workflow

Task("t", retry_cuont=3)
Task("t", retry_logic="SOMETIMES")

@workflow(verison=1)
def flow() -> int:
    wait("pause", duration=5)
    return 1
"""


@pytest.mark.parametrize(("source", "errors"), [(GOOD, 0), (BAD, 5)], ids=["good", "bad"])
def test_users_code_is_checked(tmp_path: Path, source: str, errors: int) -> None:
    file = tmp_path / "flows.py"
    file.write_text(source)

    # In a process of its own: mypy raises the limit of recursion for all that comes behind it.
    options = ["--strict", "--config-file", "", "--follow-imports", "silent", str(file)]
    told = subprocess.run([sys.executable, "-m", "mypy", *options], capture_output=True, text=True, check=False)

    assert told.stdout.count(": error:") == errors, told.stdout + told.stderr
