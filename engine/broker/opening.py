"""From a URL to a broker: the scheme says which kind, and only that kind is imported."""

from __future__ import annotations

from urllib.parse import urlsplit

from engine.broker.port import Broker, Census
from engine.broker.topology import TaskQueueType
from engine.errors import BadConfiguration

_RABBITMQ = frozenset({"amqp", "amqps", "pyamqp"})
_REDIS = frozenset({"redis", "rediss", "redis+socket"})


def is_redis(url: str) -> bool:
    """Return whether a broker URL names a Redis."""
    return urlsplit(url).scheme in _REDIS


def open_broker(
    url: str, *, task_queues: TaskQueueType = TaskQueueType.CLASSIC, most_bytes: int | None = None
) -> Broker:
    """Return a connection to the broker at ``url``; it is opened by its first call.

    ``amqp://``, ``amqps://`` and ``pyamqp://`` are RabbitMQ (several URLs, separated by ``;``, are tried in turn);
    ``redis://``, ``rediss://`` and ``redis+socket://`` are Redis; ``memory://`` is the broker inside this process,
    ``memory://name`` another one; every other scheme is a transport of kombu. ``task_queues`` says how missing task
    queues are declared on RabbitMQ, ``most_bytes`` how much of its messages may be unacked at a time. Raises
    ``BadConfiguration`` when the URL names no transport.
    """
    scheme = urlsplit(url).scheme
    if not scheme:
        raise BadConfiguration([f"The broker URL {url!r} has no scheme: write for example amqp://host:5672/."])
    if scheme == "memory":
        from engine.broker.memory import memory_broker

        return memory_broker(url.partition("://")[2].strip("/")).connect()
    if is_rabbitmq(url):
        from engine.broker.rabbitmq import MOST_BYTES, RabbitBroker

        return RabbitBroker(url, task_queues=task_queues, most_bytes=most_bytes or MOST_BYTES)
    if is_redis(url):
        return _redis(url, most_bytes)
    from engine.broker.transports import KombuBroker

    return KombuBroker(url)


def open_census(broker_url: str, management_url: str | None) -> Census | None:
    """Return what counts the messages of each queue, also those that are unacked; None where nobody can tell.

    Redis can be asked itself, RabbitMQ only by its HTTP API.
    """
    if is_redis(broker_url):
        from engine.broker.redis_census import RedisCensus

        return RedisCensus(broker_url)
    if management_url is None or not is_rabbitmq(broker_url):
        return None
    from engine.broker.management import Management

    return Management(management_url, broker_url)


def is_rabbitmq(url: str) -> bool:
    """Return whether the URL names a RabbitMQ."""
    return urlsplit(url).scheme in _RABBITMQ


def _redis(url: str, most_bytes: int | None) -> Broker:
    try:
        from engine.broker.redis import MOST_BYTES, RedisBroker
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "redis":
            raise
        fault = "The broker URL names a Redis, but redis-py is not installed: pip install 'baton-engine[redis]'."
        raise BadConfiguration([fault]) from error
    return RedisBroker(url, most_bytes=most_bytes or MOST_BYTES)
