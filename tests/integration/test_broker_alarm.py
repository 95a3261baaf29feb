"""While RabbitMQ takes nothing for lack of memory, publishing waits: nothing is dropped, and nothing piles up here."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy import process
from deploy.private_rabbitmq import PrivateRabbitmq, programs
from engine.broker.opening import open_broker
from engine.wire.message import START_QUEUE, Message

#: Seconds until something that must happen counts as not happening.
PATIENCE = 60.0

#: Seconds in which a publication that is not held up is long done.
MOMENT = 2.0

COUNT, BODY = 200, b"x" * 200_000


class Node:
    """A RabbitMQ whose memory alarm can be raised."""

    def __init__(self, directory: Path) -> None:
        self._private = PrivateRabbitmq(directory)
        self.url, _ = self._private.start()
        (self._running,) = (each for each in process.noted(directory) if each.name == "node")

    def watermark(self, fraction: str) -> None:
        """Set how much of the machine's memory the node may take."""
        folder = programs()
        assert folder is not None
        surroundings = psutil.Process(self._running.pid).environ()
        command = [str(folder / "rabbitmqctl"), "set_vm_memory_high_watermark", fraction]
        subprocess.run(command, env=surroundings, check=True, capture_output=True, timeout=PATIENCE)

    def stop(self) -> None:
        """End it."""
        self._private.stop()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "rabbitmq")
    yield node
    node.stop()


def test_publishing_waits_for_the_end_of_an_alarm_and_then_everything_is_there(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = open_broker(node.url)
    broker.publish([Message(queue=START_QUEUE, body=b"before")])
    node.watermark("0.0001")
    messages = [Message(queue=START_QUEUE, body=BODY) for _ in range(COUNT)]
    published = threading.Event()

    def publish() -> None:
        broker.publish(messages)
        published.set()

    here = psutil.Process(os.getpid())
    before = here.memory_info().rss
    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    assert not published.wait(MOMENT)
    # What waits is this batch, once as messages and once as frames; no other one is begun.
    assert here.memory_info().rss - before < 3 * COUNT * len(BODY)

    node.watermark("0.4")
    assert published.wait(PATIENCE)
    thread.join()
    assert broker.ready(START_QUEUE) == COUNT + 1
    assert "broker.blocked" in capsys.readouterr().out
    broker.close()
