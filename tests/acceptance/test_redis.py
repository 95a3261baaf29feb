"""On Redis, lines are cut and deciders killed, and all is lost by a wipe or a restart: all work ends well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from deploy.endpoint import Servers
from deploy.private_redis import PrivateRedis
from deploy.servers import provide, stop
from tests.acceptance.conftest import own_database
from tests.acceptance.gated import Gated, apps
from tests.acceptance.processes import until


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
