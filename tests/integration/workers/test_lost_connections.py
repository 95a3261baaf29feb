"""Workers whose broker goes away while they are busy take up their work again when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import Popen

import pytest

from engine.model.status import TaskStatus
from tests.acceptance.processes import until
from tests.integration.workers.conftest import Desk, Launcher
from tests.tcp_proxy import TcpProxy

#: Threads of the worker: so many tasks end at the same moment.
THREADS = 12

#: How often the broker goes away. A worker that has two threads at one connection stands still nearly every time.
OUTAGES = 2


@pytest.fixture
def proxy(vhost: str) -> Iterator[TcpProxy]:
    proxy = TcpProxy(vhost, 5672)
    yield proxy
    proxy.close()


def test_a_worker_with_threads_goes_on_after_its_broker_was_away(
    desk: Desk, launch: Launcher, proxy: TcpProxy, tmp_path: Path
) -> None:
    options = ("-c", str(THREADS), "-l", "info", "--without-mingle")
    worker = launch.worker("threads", *options, SHOP_CONNECTED="away", SHOP_BROKER=proxy.url)
    for outage in range(1, OUTAGES + 1):
        gate = tmp_path / str(outage)
        # Given a task on every thread, and more to come.
        running = [desk.send("away:hold", "hold", gate=str(gate)) for _ in range(THREADS)]
        for seq in running:
            assert desk.answers(seq)[0].heartbeat
        waiting = [desk.send("away:give", "give", kind="dict") for _ in range(THREADS)]
        # When the broker goes away and comes back while they run.
        proxy.cut()
        until("the worker is back", partial(_connected, launch, worker, outage + 1))
        gate.touch()
        # Then all of them end, and so do those that waited.
        assert {desk.end(seq).status for seq in (*running, *waiting)} == {TaskStatus.COMPLETED}


def test_a_result_that_is_lost_on_its_way_is_sent_again(
    desk: Desk, launch: Launcher, proxy: TcpProxy, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    launch.worker("prefork", "-c", "1", SHOP_CONNECTED="dumb", SHOP_WRITES_TO=proxy.url)
    # Given a worker that takes messages through one line, and has given a sign of life through another.
    seq = desk.send("dumb:hold", "hold", gate=str(gate))
    assert desk.answers(seq)[0].heartbeat
    # When the result gets lost on this one, and the ack goes through.
    proxy.silence()
    gate.touch()
    until("the result is lost", lambda: proxy.lost)
    proxy.end_silence()
    # Then the result is sent once more.
    assert desk.end(seq).output == {"redelivered": False}


def test_a_worker_that_loses_its_line_while_it_asks_its_neighbours_connects_anew(desk: Desk, launch: Launcher) -> None:
    worker = launch.worker("threads", "-l", "info", SHOP_CONNECTED="asking", SHOP_MINGLES_OVER_A_LOST_LINE="yes")
    seq = desk.send("asking:give", "give", kind="dict")
    assert desk.end(seq).output == {"width": 3}
    assert "Connection reset by peer" in launch.log(worker)


def _connected(launch: Launcher, worker: Popen[bytes], times: int) -> bool:
    return launch.log(worker).count("Connected to") >= times
