"""On Redis, lines are cut and deciders killed, and all is lost by a wipe or a restart: all work ends well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from deploy.endpoint import Servers
from deploy.private_redis import PrivateRedis
from deploy.servers import provide, stop
from tests.acceptance.conftest import own_database
from tests.acceptance.gated import Gated, apps
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack, simple, task_def, workflow


class Forgetful:
    """A stack on a Redis that keeps nothing on disk."""

    def __init__(self, gated: Gated, private: PrivateRedis, url: str) -> None:
        self.gated = gated
        self._private = private
        self._url = url

    def wipe(self) -> None:
        """Delete all that is in Redis."""
        with redis.Redis.from_url(self._url) as client:
            client.flushall()

    def restart(self) -> None:
        """Stop Redis, and start it with nothing in it."""
        password = urlsplit(self._url).password
        self._private.stop()
        until("every service misses it", self.gated.miss_something)
        self._url = f"{self._private.start()}/0"
        with redis.Redis.from_url(self._url) as client:
            client.config_set("requirepass", password or "")
        self.gated.broker.open(self._url)


@pytest.fixture(scope="module")
def forgetful(servers: Servers, redis_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forgetful]:
    """Return the stack with its Redis."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deploy.private_redis.SETTINGS", {"bind": "127.0.0.1", "save": '""', "appendonly": "no"})
        url = f"{provide(redis_directory, ['redis'], private=True)['redis'].url}/0"
        try:
            with (
                own_database(servers) as database_url,
                Gated.running(tmp_path_factory.mktemp("forgetful"), database_url, url, app="connected") as gated,
            ):
                yield Forgetful(gated, PrivateRedis(redis_directory / "redis"), url)
        finally:
            stop(redis_directory)


def test_a_long_poll_waits_for_its_task_and_a_report_brings_the_next(forgetful: Forgetful) -> None:
    stack, name = forgetful.gated.stack, "polled_on_redis"
    stack.define(workflow(name, simple(name)), tasks=[task_def(name)])
    with ThreadPoolExecutor(1) as hands:
        poll = hands.submit(polled, stack, name)
        until(
            "somebody polls", lambda: stack.call("GET", "/api/tasks/queue/polldata", params={"taskType": name}).json()
        )
        runs = {stack.start(name) for _ in range(2)}
        found = poll.result() or until("a task is handed out", lambda: polled(stack, name))
    assert [task["status"] for task in found] == ["IN_PROGRESS"]
    following = reported(stack, found[0]) or until("the other is handed out", lambda: polled(stack, name))
    assert {each["workflowInstanceId"] for each in (*found, *following)} == runs
    assert reported(stack, following[0]) == []
    until("both have ended", lambda: all((stack.run(each) or {}).get("status") == "COMPLETED" for each in runs))


def polled(stack: Stack, name: str) -> Any:
    return stack.call("GET", f"/api/tasks/poll/batch/{name}", params={"timeout": 5000, "workerid": "me"}).json()


def reported(stack: Stack, task: dict[str, Any]) -> list[Any]:
    """Report a task as done, and return the next one as a list, which may be empty."""
    result = {"taskId": task["taskId"], "workflowInstanceId": task["workflowInstanceId"], "status": "COMPLETED"}
    answer = stack.call("POST", "/api/tasks/update-v2", json=result)
    return [] if answer.status_code == 204 else [answer.json()]


def test_all_work_ends_well_when_lines_are_cut_and_a_decider_is_killed(forgetful: Forgetful) -> None:
    gated = forgetful.gated
    doomed = gated.stack.baton("decider")
    gated.stack.ready(doomed)
    runs = gated.chains(20)
    gated.are_under_way(runs)
    doomed.kill()
    gated.broker.cut()
    gated.stack.healthy()
    heir(gated)
    gated.all_end_well(runs)


@pytest.mark.parametrize("lose", [Forgetful.wipe, Forgetful.restart])
def test_all_work_ends_well_after_redis_has_lost_everything(
    forgetful: Forgetful, lose: Callable[[Forgetful], None]
) -> None:
    gated = forgetful.gated
    runs = gated.chains(30)
    # A start that nobody has taken would be lost for good.
    until("every run exists", lambda: all(gated.stack.run(each) for each in runs))
    rescues = said(gated, "workflows.rescued")
    lose(forgetful)
    until("the loss is noticed", lambda: said(gated, "workflows.rescued") > rescues)
    gated.stack.healthy()
    heir(gated)
    gated.all_end_well(runs)


def heir(gated: Gated) -> None:
    """Start another worker, as a supervisor does: kombu trips over an ack on a line that was lost meanwhile."""
    gated.stack.celery("connected", "worker-heir", "-c", "1", "-Q", "add", **apps(gated.stack))


def said(gated: Gated, words: str) -> int:
    return sum(log.count(words) for log in gated.processes.last_words(10_000).values())
