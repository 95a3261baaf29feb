"""Two versions side by side: processes are replaced one after the other under load, and nothing is lost or done twice.

The earlier version is its real code, from this repository's history; a clone without history cannot run that test,
and what the earlier version wrote is then vouched for by ``tests/upgrade`` alone.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.endpoint import Servers
from deploy.probe import conninfo
from engine import __version__
from engine.clock import SystemClock
from engine.store.presence import processes
from tests.acceptance.conftest import own_servers
from tests.acceptance.gated import chains_end_well, define_chain, start_chains, under_way
from tests.acceptance.previous_version import NotInHistory, PreviousVersion
from tests.acceptance.processes import Process, until
from tests.acceptance.stack import Stack, vanilla

#: Chains that are started at each step.
LOAD = 6


@pytest.fixture
def previous(tmp_path: Path) -> PreviousVersion:
    """Return the version before this one."""
    try:
        return PreviousVersion(tmp_path / "previous")
    except NotInHistory as missing:
        pytest.skip(f"the version before this one is not in this clone's history: {missing}")


@pytest.fixture
def stack(servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    """Return an empty stack with a worker."""
    with own_servers(servers) as (database_url, broker_url):
        stack = Stack(tmp_path / "stack", database_url, broker_url)
        try:
            stack.celery("vanilla", "worker-vanilla", "-c", "2", "-Q", "add", **vanilla(stack))
            yield stack
        finally:
            stack.close()


def stop(process: Process) -> None:
    """Let a process end as a supervisor does, and see that it does so well."""
    process.tell(signal.SIGTERM)
    assert process.wait(60) == 0


def test_processes_are_replaced_one_after_the_other_under_load(stack: Stack, previous: PreviousVersion) -> None:
    # Given the previous version at work
    old = [previous.baton(stack, name) for name in ("timekeeper", "starter", "decider", "decider")]
    old_server = previous.baton(stack, "server")
    stack.ready(*old)
    stack.healthy()
    define_chain(stack)
    runs = start_chains(stack, LOAD)
    under_way(stack, runs)
    # When each process is replaced while the work goes on: a new one is added, then an old one taken away
    for process in old:
        new = stack.baton(process.name.removeprefix("previous-").partition("~")[0])
        stack.ready(new)
        more = start_chains(stack, LOAD)
        under_way(stack, more)
        stop(process)
        runs += more
    # And for a while the previous version comes back, on tables that have been added to
    back = previous.baton(stack, "decider")
    stack.ready(back)
    until("it has a share of the work", lambda: "partitions.shared" in back.log())
    runs += start_chains(stack, LOAD)
    stop(old_server)
    stack.serve()
    stop(back)
    # Then every run ends well, with each step counted once
    for first in range(0, len(runs), LOAD):
        chains_end_well(stack, runs[first : first + LOAD])
    logs = stack.processes.last_words(10_000)
    assert not [name for name, log in logs.items() if "undecidable" in log]
    # And deciders of both versions had a share of the work
    assert all("partitions.shared" in log for name, log in logs.items() if "decider" in name)
    # And there is nothing left in the dead letters
    assert stack.call("GET", "/api/admin/dead").json()["totalHits"] == 0


def test_processes_end_once_a_newer_version_has_taken_away_what_they_use(stack: Stack) -> None:
    services = [stack.baton(name) for name in ("decider", "starter", "timekeeper")]
    server = stack.serve()
    stack.ready(*services)
    # A newer version's `baton migrate --after`, which did not know of these: they had been asleep for long.
    with psycopg.connect(conninfo(stack.database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version_after (version_num VARCHAR(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version_after VALUES ('9001')")
    for process in (*services, server):
        process.says("schema.too_new", 15)
        assert process.wait(60) == 1
    late = stack.baton("decider")
    assert late.wait(60) == 1
    assert "newer version of Baton" in late.log()


def test_a_process_is_known_until_it_ends(stack: Stack) -> None:
    decider = stack.baton("decider")
    stack.ready(decider)
    (known,) = processes(stack.database_url, SystemClock().now())
    assert (known.kind, known.version) == ("decider", __version__)
    stop(decider)
    assert processes(stack.database_url, SystemClock().now()) == ()
