"""Sinks are read as they are written, and what is none is refused with what to write instead."""

from __future__ import annotations

import pytest

from engine.errors import BadMessage
from engine.wire.sink import ExchangeSink, HttpSink, QueueSink, Sink, read_sink


@pytest.mark.parametrize(
    ("text", "sink"),
    [
        ("https://host.example/x?y=1", HttpSink(url="https://host.example/x?y=1")),
        (
            "https://host.example/x#Authorization=KEY&X-Id=T&signature=S",
            HttpSink(url="https://host.example/x", headers=(("Authorization", "KEY"), ("X-Id", "T")), signed_with="S"),
        ),
        ("amqp_queue:runs", QueueSink(name="runs")),
        ("amqp_exchange:runs", ExchangeSink(name="runs")),
        ("amqp_exchange:runs?routingKey=a.b", ExchangeSink(name="runs", routing_key="a.b")),
        ("amqp_exchange:amq.topic", ExchangeSink(name="amq.topic")),
    ],
)  # fmt: skip
def test_what_can_be_a_sink(text: str, sink: Sink) -> None:
    assert read_sink(text) == sink


@pytest.mark.parametrize(
    "text",
    [
        "", "https://", "http:///x", "https://ho st/x", "ftp://host/x", "runs", "kafka:runs", "amqp_queue:",
        "amqp_queue:baton.events.0", "amqp_queue:amq.gen-1", "amqp_exchange:baton.status", "amqp_queue:" + "x" * 256,
        "https://host/x#no header=KEY", "https://host/x#Authorization=", "https://[::1/x",
    ],
)  # fmt: skip
def test_what_is_no_sink_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        read_sink(text)
