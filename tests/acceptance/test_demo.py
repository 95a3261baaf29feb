"""`make demo` as a newcomer runs it: a server of its own, seven runs, a verdict, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def command(scratch: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo.run", *options],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_all_six_workflows_end_as_the_readme_says(tmp_path: Path) -> None:
    demo = command(tmp_path)
    printed, _ = demo.communicate(timeout=170)

    assert demo.returncode == 0, printed
    assert printed.count("as expected") == 7
    assert "order_compensation COMPLETED" in printed
    assert list(tmp_path.iterdir()) == []


def test_runs_that_take_too_long_are_named_and_the_demo_fails(tmp_path: Path) -> None:
    demo = command(tmp_path, "--timeout", "0.1")
    printed, _ = demo.communicate(timeout=120)

    assert demo.returncode == 1, printed
    assert "customer_onboarding" in printed
    assert "did not end within" in printed
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_told_to_stop_takes_its_server_along(tmp_path: Path) -> None:
    demo = command(tmp_path)
    assert demo.stdout is not None
    address = re.search(r"baton dev answers at (http://[\d.:]+),", demo.stdout.readline())
    assert address

    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)

    assert demo.returncode == 128 + signal.SIGTERM
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address[1]}/health")
    assert list(tmp_path.iterdir()) == []
