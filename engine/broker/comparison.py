"""Compares the queues on a RabbitMQ with what Baton declares; for the doctor."""

from __future__ import annotations

from collections.abc import Iterable

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from engine.broker import topology
from engine.broker.rabbitmq import connection_parameters
from engine.errors import BrokerUnavailable

_NOT_FOUND = 404


def differing(url: str, names: Iterable[str], task_queues: topology.TaskQueueType) -> dict[str, str]:
    """Return those of the named queues that exist with other arguments than ours, each with RabbitMQ's words.

    Missing queues are not declared and not named. Raises ``BrokerUnavailable`` when RabbitMQ cannot be reached and
    ``BadConfiguration`` for a URL that cannot be read.
    """
    different: dict[str, str] = {}
    try:
        connection = pika.BlockingConnection(connection_parameters(url))
        try:
            for name in names:
                words = _difference(connection, topology.queue(name, task_queues))
                if words is not None:
                    different[name] = words
        finally:
            connection.close()
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"RabbitMQ cannot be reached: {error or type(error).__name__}") from error
    return different


def _difference(connection: pika.BlockingConnection, wanted: topology.Queue) -> str | None:
    """Return why RabbitMQ refuses our declaration of an existing queue, or None when it agrees or there is none."""
    try:
        # A refusal closes the channel, so each queue gets a fresh pair.
        connection.channel().queue_declare(wanted.name, passive=True)
    except ChannelClosedByBroker as refusal:
        return None if refusal.reply_code == _NOT_FOUND else str(refusal.reply_text)
    try:
        connection.channel().queue_declare(
            wanted.name,
            durable=wanted.durable,
            exclusive=wanted.exclusive,
            auto_delete=wanted.auto_delete,
            arguments=dict(wanted.arguments),
        )
    except ChannelClosedByBroker as refusal:
        return str(refusal.reply_text)
    return None
