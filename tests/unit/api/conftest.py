"""A server on the in-memory store and broker, and somebody who answers in the deciders' place."""

import threading

import pytest
from starlette.testclient import TestClient

from engine.api.app import create_app
from engine.api.requester import Requester
from engine.broker.memory import MemoryBroker
from engine.clock import Instant
from engine.errors import BrokerUnavailable
from engine.identifier import new_id
from engine.model.request import Outcome
from engine.testing.memory_store import MemoryStore
from engine.wire.inbound import decode
from engine.wire.message import events_queue
from engine.wire.request_message import encode_outcome

PARTITIONS = 2


class FixedClock:
    def now(self):
        return Instant(1_700_000_000_000_000)


class Answerer:
    """Takes what arrives for the deciders, remembers it, and answers with ``outcome``."""

    def __init__(self, hub):
        self.asked = []
        self.outcome = Outcome(granted=True)
        self._connection = hub.connect()
        self._stopped = False
        self._thread = threading.Thread(target=self._run)

    def start(self):
        self._connection.reconnect()
        for partition in range(PARTITIONS):
            self._connection.consume(events_queue(partition), 100)
        self._thread.start()

    def stop(self):
        self._stopped = True
        self._connection.interrupt()
        self._thread.join()
        self._connection.close()

    def _run(self):
        while not self._stopped:
            try:
                self._turn()
            except BrokerUnavailable:
                self._connection.reconnect()

    def _turn(self):
        for delivery in self._connection.receive(10, 60.0):
            event = decode(delivery, new_id)
            self.asked.append(event)
            self._connection.publish([encode_outcome(event.reply_to, event.reply_id, self.outcome)])
            self._connection.ack([delivery])


@pytest.fixture
def hub():
    return MemoryBroker()


@pytest.fixture
def decider(hub):
    answerer = Answerer(hub)
    answerer.start()
    yield answerer
    answerer.stop()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def client(store, hub):
    requester = Requester(hub.connect, PARTITIONS, timeout_seconds=5.0, back_off_seconds=0.01)
    with TestClient(create_app(store, requester, clock=FixedClock()), raise_server_exceptions=False) as client:
        yield client
