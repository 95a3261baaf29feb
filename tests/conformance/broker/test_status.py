"""Status messages reach whoever listens for them and nobody else; the control of workers reaches every worker."""

from __future__ import annotations

from engine.broker.port import Broker
from engine.wire.celery_control import CONTROL_EXCHANGE, decode_revoke, encode_revoke
from engine.wire.message import STATUS_EXCHANGE, Message

from .conftest import Site
from .deliveries import NEVER, OpenBroker, receive, texts


def test_a_listener_gets_what_its_patterns_match(open_broker: OpenBroker) -> None:
    listening, publishing = open_broker(), open_broker()
    listening.subscribe("workflow.COMPLETED.#", "listener")
    listening.subscribe("task.*.resize", "listener")
    listening.consume("listener", 10)
    keys = ["workflow.COMPLETED.a.b", "workflow.FAILED.a", "task.FAILED.resize", "task.FAILED.resize.x", "other"]

    publishing.publish([Message(exchange=STATUS_EXCHANGE, queue=key, body=key.encode()) for key in keys])

    assert texts(receive(listening, 2)) == ["workflow.COMPLETED.a.b", "task.FAILED.resize"]
    assert listening.receive(10, NEVER) == []


def test_a_listener_listens_on_after_reconnecting(open_broker: OpenBroker, site: Site) -> None:
    listening = open_broker()
    listening.subscribe("#", "listener")
    listening.consume("listener", 10)
    site.break_connections()

    listening.reconnect()
    listening.publish([Message(exchange=STATUS_EXCHANGE, queue="workflow.FAILED.a", body=b"1")])

    assert texts(receive(listening, 1)) == ["1"]


def test_a_status_that_nobody_hears_is_no_fault(broker: Broker) -> None:
    broker.publish([Message(exchange=STATUS_EXCHANGE, queue="workflow.FAILED.a", body=b"1")])


def test_a_revoke_reaches_every_listener_on_the_control_exchange_and_no_other(open_broker: OpenBroker) -> None:
    first, second, status = open_broker(), open_broker(), open_broker()
    for listening in (first, second):
        listening.subscribe("#", f"ear_{id(listening)}", CONTROL_EXCHANGE)
        listening.consume(f"ear_{id(listening)}", 10)
    status.subscribe("#", "listener")
    status.consume("listener", 10)

    status.publish([encode_revoke("run.1")])

    assert [decode_revoke(receive(each, 1)[0].message) for each in (first, second)] == ["run.1", "run.1"]
    assert status.receive(10, NEVER) == []


def test_a_listener_hears_what_is_broadcast_after_reconnecting(open_broker: OpenBroker, site: Site) -> None:
    listening = open_broker()
    listening.subscribe("#", "ear", CONTROL_EXCHANGE)
    listening.consume("ear", 10)
    site.break_connections()

    listening.reconnect()
    listening.publish([encode_revoke("run.1")])

    assert decode_revoke(receive(listening, 1)[0].message) == "run.1"


def test_a_revoke_that_nobody_hears_is_no_fault(broker: Broker) -> None:
    broker.publish([encode_revoke("run.1")])
