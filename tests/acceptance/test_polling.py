"""Workers that poll real servers: of two servers one may die, clients may hang up, and nothing is lost."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.processes import Process, until
from tests.acceptance.stack import Stack, simple, task_def, workflow


class Other:
    """A second server of the stack."""

    def __init__(self, stack: Stack) -> None:
        self.process, self.url = stack.serve_beside()
        until("the other server is healthy", self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def other(small: Stack) -> Iterator[Other]:
    server = Other(small)
    yield server
    server.process.ask_to_stop()
    server.process.end()


def polled(url: str, name: str, **query: Any) -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/api/tasks/poll/batch/{name}", params={"timeout": 5000, **query}, timeout=60)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


def define(stack: Stack, name: str) -> None:
    stack.define(workflow(name, simple(name)), tasks=[task_def(name)])


def waiting(stack: Stack, name: str) -> int:
    return int(stack.call("GET", "/api/tasks/queue/size", params={"taskType": name}).json())


def decider_of(stack: Stack) -> Process:
    return next(each for each in stack.processes.started if each.name == "decider")


def test_servers_share_what_is_polled_for_and_hand_out_each_task_once(small: Stack, other: Other) -> None:
    define(small, "polled_often")
    with ThreadPoolExecutor(12) as hands:
        polls = [hands.submit(polled, url, "polled_often", count=2) for url in (small.url, other.url) for _ in range(6)]
        runs = {small.start("polled_often") for _ in range(12)}
        found = [task["workflowInstanceId"] for poll in polls for task in poll.result()]
    while len(found) < 12:
        found += [task["workflowInstanceId"] for task in polled(other.url, "polled_often", count=12)]
    assert sorted(found) == sorted(runs)


def test_a_client_that_hangs_up_takes_no_task_with_it(small: Stack) -> None:
    define(small, "polled_late")
    address = urlsplit(small.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as line:
        line.sendall(b"GET /api/tasks/poll/batch/polled_late?timeout=5000&workerid=gone HTTP/1.1\r\nHost: x\r\n\r\n")
        until("the poll is noted", lambda: small.call("GET", "/api/tasks/queue/polldata?taskType=polled_late").json())
    run_id = small.start("polled_late")
    (task,) = polled(small.url, "polled_late", workerid="here")
    assert (task["workflowInstanceId"], task["workerId"]) == (run_id, "here")


# The last one, because it kills the other server.
def test_a_server_that_is_killed_loses_no_task_it_had_in_hand(small: Stack, other: Other) -> None:
    define(small, "polled_twice")
    run_id = small.start("polled_twice")
    until("the task is queued", lambda: waiting(small, "polled_twice") == 1)
    # Given a server that waits for the decider with the task's message in hand.
    decider = decider_of(small)
    decider.tell(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as hands:
        try:
            lost = hands.submit(polled, other.url, "polled_twice", workerid="lost")
            until("the message is in hand", lambda: waiting(small, "polled_twice") == 0)
            # When it is killed.
            other.process.kill()
            with pytest.raises(httpx.TransportError):
                lost.result()
            until("the message is back", lambda: waiting(small, "polled_twice") == 1)
        finally:
            decider.tell(signal.SIGCONT)
    # Then the other one hands it out.
    (task,) = polled(small.url, "polled_twice", workerid="found")
    assert (task["workflowInstanceId"], task["status"], task["workerId"]) == (run_id, "IN_PROGRESS", "found")
