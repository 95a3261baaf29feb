"""A URL decides which broker is opened, and nothing else is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.broker.dead_letter import letter_id
from engine.broker.memory import MemoryConnection
from engine.broker.opening import open_broker
from engine.broker.rabbitmq import RabbitBroker
from engine.broker.redis import RedisBroker
from engine.broker.transports import KombuBroker
from engine.errors import BadConfiguration
from engine.wire.message import Message


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", MemoryConnection),
        ("amqp://guest:guest@localhost//", RabbitBroker),
        ("amqps://localhost/", RabbitBroker),
        ("pyamqp://localhost", RabbitBroker),
        ("redis://localhost/0", RedisBroker),
        ("rediss://:secret@localhost/0?ssl_cert_reqs=CERT_NONE", RedisBroker),
        ("filesystem://", KombuBroker),
    ],
)
def test_the_scheme_chooses_the_broker(url: str, kind: type) -> None:
    assert isinstance(open_broker(url), kind)


def test_connections_to_one_memory_broker_meet() -> None:
    first, second, elsewhere = open_broker("memory://here"), open_broker("memory://here"), open_broker("memory://there")

    first.publish([Message(queue="resize", body=b"1")])

    assert (second.ready("resize"), elsewhere.ready("resize")) == (1, None)


@pytest.mark.parametrize("url", ["", "localhost", "pigeon://post"])
def test_a_url_that_names_no_broker_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(BadConfiguration):
        open_broker(url)


@pytest.mark.parametrize(
    ("url", "unwanted"),
    [
        ("memory://", ("pika", "kombu", "redis")),
        ("amqp://localhost", ("kombu", "redis")),
        ("redis://h", ("pika", "kombu")),
    ],
)
def test_opening_one_broker_imports_no_other(url: str, unwanted: tuple[str, ...]) -> None:
    program = (
        "import sys; from engine.broker.opening import open_broker; "
        f"open_broker({url!r}); print([name for name in {unwanted!r} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_missing_client_for_redis_is_said() -> None:
    program = (
        "import sys; sys.modules['redis'] = None; from engine.broker.opening import open_broker; "
        "open_broker('redis://localhost')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "pip install 'baton-engine[redis]'" in done.stderr


def test_a_dead_letter_is_named_by_what_it_has() -> None:
    assert letter_id(Message(queue="q", body=b"1", message_id="m1", headers={"id": "t1"})) == "m1"
    assert letter_id(Message(queue="q", body=b"1", headers={"id": "t1"})) == "t1"
    assert letter_id(Message(queue="q", body=b"1")) == letter_id(Message(queue="other", body=b"1"))
