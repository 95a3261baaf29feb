"""The README's own worker, workflow and program do what it says."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.endpoint import free_ports
from engine.broker.opening import open_broker
from engine.testing.harness import Harness
from engine.wire.message import START_QUEUE
from engine.wire.start_message import decode_start
from tests.acceptance.processes import BIN, PATIENCE, Processes, until
from tests.unit.docs.blocks import ROOT, blocks

README = ROOT / "README.md"


def worker() -> str:
    return next(text for text in blocks(README, "python") if text.startswith("# greetings.py"))


def vanilla_worker() -> str:
    return next(text for text in blocks(README, "python") if 'backend="rpc://"' in text)


def start_program() -> str:
    return next(text for text in blocks(README, "python") if "basic_publish" in text)


def workflow() -> str:
    return next(iter(blocks(README, "json")))


def test_the_worker_and_the_workflow_are_short() -> None:
    for text in (worker(), vanilla_worker(), workflow()):
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) <= 11


@pytest.mark.parametrize("text", [worker(), vanilla_worker()], ids=["connected", "vanilla"])
def test_the_workflow_runs_with_the_workers_function(text: str) -> None:
    room: dict[str, object] = {"__name__": "greetings"}
    exec(text, room)
    greet = room["greet"]
    assert callable(greet)
    harness = Harness()
    harness.register(json.loads(workflow()))
    run = harness.start("hello", {"name": "Ada"})
    harness.work({"greet": lambda given: greet(**given)})
    assert harness.run(run).output == {"said": "Hello, Ada!"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the README's two files, as a newcomer has it."""
    (tmp_path / "greetings.py").write_text(worker())
    (tmp_path / "hello.json").write_text(workflow())
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """Return the variables of the commands: the server on a free port, and our own ``baton`` in the path."""
    port = free_ports(1)[0]
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {"BATON_HTTP_PORT": str(port), "BATON_SERVER_URL": f"http://127.0.0.1:{port}", "PATH": path}


@pytest.fixture
def processes(folder: Path, environment: dict[str, str]) -> Iterator[Processes]:
    """Run the README's ``baton dev`` in that folder until the test has ended."""
    (command,) = [line for line in README.read_text().splitlines() if line.strip().startswith("baton dev --app")]
    started = Processes(folder)
    arguments = command.strip().removesuffix("&").split()[1:]
    dev = started.start("dev", [str(BIN / "baton"), *arguments], environment)

    def healthy() -> bool:
        assert dev.alive(), dev.log()
        try:
            return httpx.get(f"{environment['BATON_SERVER_URL']}/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    # Half a minute on two cores that others use too.
    until("baton dev is healthy", healthy, seconds=300)
    yield started
    started.end()


def test_the_first_commands_run_the_workflow(processes: Processes, environment: dict[str, str]) -> None:
    def said(line: str) -> str:
        done = processes.run(["sh", "-c", line], environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    lines = [line.strip() for line in README.read_text().splitlines() if line.startswith("    baton ")]
    apply, start = (next(each for each in lines if verb in each) for verb in ("definition apply", "workflow start"))
    assert "applied" in said(apply)
    assert "Hello, Ada!" in said(start)


def test_the_program_starts_a_workflow_with_a_message(rabbitmq_url: str) -> None:
    with_ours = start_program().replace("amqp://guest:guest@localhost:5672/%2F", rabbitmq_url)
    assert with_ours != start_program()
    broker = open_broker(rabbitmq_url)
    broker.reconnect()
    exec(with_ours, {})
    broker.consume(START_QUEUE, 1)
    (delivery,) = broker.receive(1, PATIENCE)
    start = decode_start(delivery, lambda: "unused")
    broker.ack([delivery])
    broker.close()
    assert (start.name, start.input, start.priority) == ("hello", {"name": "Ada"}, 50)
