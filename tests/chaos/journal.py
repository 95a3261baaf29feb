"""Publishes start messages with confirm, steadily, and notes every start that the broker has confirmed."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pika
from pika.exceptions import AMQPError

from engine.wire.message import START_QUEUE
from engine.wire.start_message import derived_id
from tests.chaos.workload import choose


@dataclass(frozen=True)
class Start:
    """A start whose message the broker has confirmed."""

    workflow_id: str
    message_id: str
    name: str
    number: int
    #: Seconds since 1970, when the confirm was there.
    confirmed_at: float


class Client:
    """A client in front of the start queue that tries until it has the confirm, always with the same message id."""

    def __init__(self, broker_url: str, service: str) -> None:
        self._service = service
        self._parameters = pika.URLParameters(broker_url)
        self._parameters.heartbeat = 4
        self._parameters.socket_timeout = 3
        self._parameters.stack_timeout = 5
        self._parameters.blocked_connection_timeout = 10
        self._connection: pika.BlockingConnection | None = None
        self._channel: pika.adapters.blocking_connection.BlockingChannel | None = None
        self.attempts = 0

    def start(self, name: str, message_id: str, number: int, stop: threading.Event) -> Start | None:
        """Publish until it is confirmed; None when it was told to stop before."""
        body = json.dumps({"name": name, "input": {"number": number, "service": self._service}}).encode()
        while not stop.is_set():
            try:
                self._publish(body, message_id)
            except (AMQPError, OSError):
                # An unroutable message is one too: the wiped broker has no start queue until a decider declares it.
                self.close()
                stop.wait(0.1)
            else:
                return Start(derived_id("message", name, message_id), message_id, name, number, time.time())
        return None

    def close(self) -> None:
        """Forget the connection."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None and connection.is_open:
                connection.close()
        except (AMQPError, OSError):
            return

    def _publish(self, body: bytes, message_id: str) -> None:
        if self._connection is None or not self._connection.is_open:
            self._connection = pika.BlockingConnection(self._parameters)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        assert self._channel is not None
        self.attempts += 1
        properties = pika.BasicProperties(delivery_mode=2, message_id=message_id)
        self._channel.basic_publish("", START_QUEUE, body, properties, mandatory=True)


class Journal:
    """Every confirmed start, in memory and in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a")
        self._lock = threading.Lock()
        self._starts: list[Start] = []

    def note(self, start: Start) -> None:
        """Write a start down."""
        with self._lock:
            self._starts.append(start)
            self._file.write(f"{start.confirmed_at:.6f} {start.message_id} {start.workflow_id} {start.name}\n")
            self._file.flush()

    def starts(self) -> list[Start]:
        """Return what was written down so far."""
        with self._lock:
            return list(self._starts)


class Load(threading.Thread):
    """Starts mixed workflows at a steady rate until told to stop."""

    def __init__(self, client: Client, journal: Journal, seed: int, rate: float) -> None:
        super().__init__(name="load", daemon=True)
        self._client = client
        self._journal = journal
        self._chance = Random(f"load {seed}")
        self._seed = seed
        self._pause = 1 / rate
        self.started = 0
        self._told_to_end = threading.Event()

    def run(self) -> None:
        number, due = 0, time.monotonic()
        while not self._told_to_end.is_set():
            number += 1
            kind = choose(self._chance)
            start = self._client.start(kind.name, f"chaos-{self._seed}-{number}", number, self._told_to_end)
            if start is not None:
                self._journal.note(start)
                self.started += 1
            # What could not be published meanwhile is not made up for: the load is steady.
            due = max(due + self._pause, time.monotonic())
            self._told_to_end.wait(max(0.0, due - time.monotonic()))
        self._client.close()

    @property
    def attempts(self) -> int:
        """How often a message was published."""
        return self._client.attempts

    def end(self) -> None:
        """Start nothing more."""
        self._told_to_end.set()
        self.join(60)
