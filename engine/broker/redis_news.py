"""What is published on Redis to whoever listens just then: statuses, and Celery's control of workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from redis.client import PubSub

from engine.broker.redis_envelope import decode
from engine.broker.topology import EXCHANGES, SUBSCRIPTION_LENGTH, topic_pattern
from engine.model.payload import Json
from engine.wire.message import Delivery

_SAID: Final = frozenset({"message", "pmessage"})


def channel_of(exchange: str, routing_key: str, database: int) -> str:
    """Return the channel on which kombu publishes to an exchange that reaches everybody."""
    return f"/{database}.{exchange}/{routing_key}" if routing_key else f"/{database}.{exchange}"


class Ear:
    """Hears publications; for each queue it keeps the newest 10,000 that its patterns match."""

    def __init__(self, open_line: Callable[[], PubSub], database: int) -> None:
        self._open_line = open_line
        self._database = database
        self._line: PubSub | None = None
        self._heard: dict[str, deque[Delivery]] = {}

    def subscribe(self, exchange: str, queue: str) -> None:
        """Begin to hear what is published to an exchange; returns once Redis says that it will be heard."""
        self._heard.setdefault(queue, deque(maxlen=SUBSCRIPTION_LENGTH))
        if self._line is None:
            self._line = self._open_line()
        name = channel_of(exchange, "", self._database)
        self._line.psubscribe(name, f"{name}/*")
        confirmed = 0
        while confirmed < 2:
            said: Json = self._line.get_message(timeout=None)  # type: ignore[arg-type]
            confirmed += said is not None and said["type"] == "psubscribe"

    def listen(self, bindings: Mapping[tuple[str, str, str], None]) -> None:
        """Note what has been said meanwhile in the queues whose pattern (queue, exchange, pattern) it matches."""
        while self._line is not None and (said := self._line.get_message(timeout=0)) is not None:
            if said["type"] in _SAID:
                self._note(said["data"], bindings)

    def take(self, queue: str, limit: int) -> list[Delivery]:
        """Return up to ``limit`` of what was heard for a queue."""
        heard = self._heard.get(queue)
        return [heard.popleft() for _ in range(min(limit, len(heard)))] if heard else []

    def _note(self, payload: bytes, bindings: Mapping[tuple[str, str, str], None]) -> None:
        message, _ = decode(payload, "")
        hearing = {
            queue
            for queue, exchange, pattern in bindings
            if exchange == message.exchange
            and (EXCHANGES[exchange].type == "fanout" or topic_pattern(pattern).fullmatch(f"{message.queue}."))
        }
        for queue in hearing:
            self._heard[queue].append(Delivery(message=message, queue=queue))
