"""RabbitMQ and Postgres are restarted in the middle of work, each for real, and everything soon goes on afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.cases import ENDED
from deploy import servers
from deploy.private_postgres import PrivatePostgres
from deploy.private_rabbitmq import PrivateRabbitmq
from deploy.vhosts import Vhosts
from tests.acceptance.gated import Gated
from tests.acceptance.processes import until
from tests.acceptance.stack import Stack
from tests.pace import within

pytestmark = pytest.mark.alone

#: Seconds after which all work has gone on once the server was back, with the settings of production.
RECOVERED = 15.0


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Return a folder that the user of a private Postgres may enter."""
    with tempfile.TemporaryDirectory(prefix="baton-restarts-", dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="module")
def gated(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    """Return a stack on servers that are nobody else's; a restart gives them other ports, which the proxies hide."""
    found = servers.provide(directory, private=True)
    try:
        broker_url = Vhosts(found.broker_url, found.management_url).create("restarts")
        folder = tmp_path_factory.mktemp("restarts")
        with Gated.running(folder, found.database_url, broker_url, pauses={}) as gated:
            yield gated
    finally:
        servers.stop(directory)


def restart_rabbitmq(gated: Gated, directory: Path) -> None:
    rabbitmq = PrivateRabbitmq(directory / "rabbitmq")
    rabbitmq.stop()
    until("every service misses it", gated.miss_something)
    url, _ = rabbitmq.start()
    gated.broker.open(url)


def restart_postgres(gated: Gated, directory: Path) -> None:
    postgres = PrivatePostgres(directory / "postgres")
    postgres.stop()
    until("every service misses it", gated.miss_something)
    gated.database.open(postgres.start())


@pytest.mark.parametrize("restart", [restart_rabbitmq, restart_postgres])
def test_work_goes_on_after_a_restart(gated: Gated, directory: Path, restart: Callable[[Gated, Path], None]) -> None:
    stack: Stack = gated.stack
    stack.healthy()
    runs = gated.chains(15)
    gated.are_under_way(runs)
    before = {each: _tasks(stack, each) for each in runs}
    restart(gated, directory)
    with within(RECOVERED):
        for each in runs:
            stack.when(
                each, "has gone on", lambda run: run["status"] in ENDED or len(run["tasks"]) > before[run["workflowId"]]
            )
    stack.healthy()
    gated.all_end_well(runs)
    assert gated.all_alive()


def _tasks(stack: Stack, run: str) -> int:
    return len((stack.run(run) or {}).get("tasks", ()))
