"""The command line against a whole engine in this process: real server, real decider, memory underneath."""

import json
import threading

import pytest
import structlog
import uvicorn

from engine import log
from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.cli import run
from engine.clock import SystemClock
from engine.config import Settings
from engine.polling.distributor import Distributor
from engine.services.decider import RoadService
from engine.services.opening import partitions_of
from engine.services.server import listen
from engine.services.stopping import Stop
from engine.testing.memory_store import MemoryStore


class Result:
    """What a command left behind: its exit code and what it printed."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def hub():
    return MemoryBroker()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def server(store, hub, unused_port):
    log.configure("error", "text")
    settings = Settings(partitions=2, http_port=unused_port)
    stop = Stop()
    road = RoadService(store, hub.connect(), settings, stop, clock=SystemClock(), starter=False)
    decider = threading.Thread(target=road.run)
    listener = listen(settings)
    # Whoever connects before the server has begun is served when it has.
    listener.listen()
    partitions = partitions_of(store, settings)
    app = create_app(store, Requester(hub.connect, partitions), distributor=Distributor(hub.connect, partitions))
    web = uvicorn.Server(uvicorn.Config(app, log_config=None))
    listening = threading.Thread(target=web.run, kwargs={"sockets": [listener]})
    decider.start()
    listening.start()
    yield f"http://127.0.0.1:{unused_port}"
    web.should_exit = True
    stop.now()
    listening.join()
    decider.join()
    structlog.reset_defaults()


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def baton(capsys, monkeypatch, tmp_path):
    """Runs a command as the shell would, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_SERVER_URL", raising=False)

    def command(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return command


@pytest.fixture
def connected(baton, server, monkeypatch):
    """Runs a command against the server of this test."""
    monkeypatch.setenv("BATON_SERVER_URL", server)
    return baton
