"""What anybody may put into a task's queue: a worker of ours opens nothing but JSON, and goes on."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest

from tests.integration.workers.conftest import Desk, Launcher
from tests.integration.workers.test_system_workers import COMMAND

QUEUE = "system.inline"


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


@pytest.fixture(scope="module")
def system(desk: Desk, launch: Launcher, vhost: str) -> Desk:
    launch.python("-c", COMMAND, vhost, QUEUE)
    return desk


@pytest.fixture
def queue(system: Desk, vhost: str) -> Iterator[kombu.Producer]:
    assert system.end(system.send(QUEUE, QUEUE, expression="1")).output == {"result": 1}
    with kombu.Connection(vhost) as connection:
        yield connection.Producer(routing_key=QUEUE)


def still_works(system: Desk) -> bool:
    return system.end(system.send(QUEUE, QUEUE, expression="2")).output == {"result": 2}


def headers(**more: Any) -> dict[str, Any]:
    return {"task": QUEUE, "id": "stranger.1", "lang": "py", "argsrepr": "", "kwargsrepr": "", **more}


@pytest.mark.parametrize("named", ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack"])
def test_a_pickle_is_not_opened(system: Desk, queue: kombu.Producer, tmp_path: Path, named: str) -> None:
    body = pickle.dumps([[], {"expression": Bomb(tmp_path / "opened")}, {}])

    queue.publish(body, content_type=named, content_encoding="binary", headers=headers())

    assert still_works(system)
    assert not (tmp_path / "opened").exists()


def test_a_pickle_that_says_it_is_json_is_not_opened_either(
    system: Desk, queue: kombu.Producer, tmp_path: Path
) -> None:
    body = pickle.dumps([[], {"expression": Bomb(tmp_path / "opened")}, {}])

    queue.publish(body, content_type="application/json", content_encoding="utf-8", headers=headers())

    assert still_works(system)
    assert not (tmp_path / "opened").exists()


def test_a_compressed_message_is_not_unpacked(system: Desk, queue: kombu.Producer) -> None:
    bomb = gzip.compress(b" " * 300_000_000)

    queue.publish(bomb, content_type="application/json", headers=headers(compression="application/x-gzip"))

    assert still_works(system)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"[[], {}]", b"null", b"[" * 100_000, b"1" * 100_000, b'[{}, [], ""]', b"\xff\xfe"],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_no_task_ends_nobody(system: Desk, queue: kombu.Producer, body: bytes) -> None:
    queue.publish(body, content_type="application/json", content_encoding="utf-8", headers=headers())
    queue.publish(body, content_type="application/json", content_encoding="utf-8", headers={})

    assert still_works(system)


@pytest.mark.parametrize(
    "odd",
    [
        {"id": None},
        {"id": 5},
        {"task": None},
        {"retries": "many"},
        {"timelimit": "x"},
        {"eta": "soon"},
        {"expires": "?"},
    ],
    ids=str,
)
def test_odd_headers_end_nobody(system: Desk, queue: kombu.Producer, odd: dict[str, Any]) -> None:
    queue.publish(b'[[], {"expression": "1"}, {}]', content_type="application/json", headers=headers(**odd))

    assert still_works(system)
