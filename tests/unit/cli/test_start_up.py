"""The command line is up at once: what is heavy is imported where it is used."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.alone

#: Modules that a command which only asks the server and prints JSON has no use for.
HEAVY = {"rich", "httpx", "pydantic", "sqlalchemy", "celery", "kombu", "pika", "fastapi", "structlog", "asyncio"}


def modules_after(*arguments):
    script = f"import sys; from engine.cli import run; run({list(arguments)!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["workflow", "--help"],
        ["definition", "--help"],
        ["server", "--help"],
        ["doctor", "--help"],
        ["workflow", "list", "--server", "http://127.0.0.1:1"],
        ["definition", "validate", "/nowhere"],
    ],
)
def test_nothing_heavy_is_imported(arguments):
    assert not modules_after(*arguments) & HEAVY


def test_help_is_there_in_a_moment():
    # Seconds of CPU time, generous for slow machines.
    def seconds():
        command = [
            sys.executable,
            "-c",
            "import time; t = time.process_time()\nfrom engine.cli import run; run(['--help'])\n"
            "import sys; print(time.process_time() - t, file=sys.stderr)",
        ]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stderr)

    assert min(seconds() for _ in range(3)) < 0.4


def test_a_worker_without_the_client_of_its_broker_says_what_to_install():
    program = "import sys; sys.modules['redis'] = None; from engine.cli import run; sys.exit(run(['worker', 'script']))"

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "BATON_BROKER_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "pip install 'baton-engine[redis]'" in done.stderr
    assert "Traceback" not in done.stderr
