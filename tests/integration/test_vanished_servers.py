"""Servers that vanish without a word are missed: by heartbeats, and by the system's TCP."""

from __future__ import annotations

import socket
import time

import pytest

from engine.broker.rabbitmq import HEARTBEAT_SECONDS, RabbitBroker, connection_parameters
from engine.errors import BrokerUnavailable
from engine.store.database import WAIT_SECONDS, open_database
from engine.wire.message import START_QUEUE, Message
from tests.tcp_proxy import TcpProxy


def test_a_broker_that_is_silent_for_ever_is_missed_and_found_again(rabbitmq_url: str) -> None:
    proxy = TcpProxy(rabbitmq_url, 5672)
    broker = RabbitBroker(f"{proxy.url}?heartbeat=1")
    try:
        broker.consume(START_QUEUE, 10)
        # When nothing comes through any more, and no line is closed either.
        proxy.silence()
        # Then who waits is told, instead of waiting for ever.
        with pytest.raises(BrokerUnavailable):
            broker.publish([Message(queue=START_QUEUE, body=b"{}")])
        # And once the way is open, everything is there again.
        proxy.end_silence()
        broker.reconnect()
        broker.publish([Message(queue=START_QUEUE, body=b"{}")])
        deadline = time.monotonic() + 60
        while not (found := broker.receive(10, 1.0)):
            assert time.monotonic() < deadline
        assert found[0].message.body == b"{}"
    finally:
        broker.close()
        proxy.close()


def test_heartbeats_are_ours_unless_the_url_has_its_own() -> None:
    assert connection_parameters("amqp://guest:guest@box:5672//").heartbeat == HEARTBEAT_SECONDS
    assert connection_parameters("amqp://guest:guest@box:5672//?heartbeat=40").heartbeat == 40


def test_a_database_that_vanishes_is_given_up_on_by_the_system(postgres_url: str) -> None:
    database = open_database(postgres_url, 1)
    with database.connect() as connection:
        line = connection.connection.driver_connection
        assert line is not None
        used = line.info.get_parameters()
    database.dispose()
    assert used["tcp_user_timeout"] == str(WAIT_SECONDS * 1000)
    assert used["keepalives_idle"] == "15"


def test_a_mysql_that_vanishes_is_given_up_on_by_the_system(mysql_url: str) -> None:
    database = open_database(mysql_url, 1)
    with database.connect() as connection:
        line = connection.connection.driver_connection._sock
        options = (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE)
        used = [line.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        keeps_alive = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    database.dispose()
    assert used == [WAIT_SECONDS * 1000, 15]
    assert keeps_alive == 1
