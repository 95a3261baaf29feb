"""How many messages each queue on a Redis holds, those included that the engine or a worker has taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from engine.broker.redis_envelope import LEASED, STEPS, UNACKED, queue_of
from engine.broker.redis_scripts import CONNECTIONS, QUEUES
from engine.broker.redis_session import open_redis
from engine.errors import BrokerUnavailable
from engine.masking import masked
from engine.model.payload import Json

#: How kombu notes what a worker has taken: the message as it lay there, its exchange and its routing key.
_TAKEN = msgspec.json.Decoder(tuple[msgspec.Raw, str, str])


class RedisCensus:
    """Counts on a line of its own."""

    #: The timekeeper waits for Redis anyway, and what got lost while it was away should not wait for long.
    unanswered_seconds: float = 1.0

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Redis | None = None

    def totals(self) -> dict[str, int]:
        """Return the messages of each queue, waiting and unacked together, at one moment.

        Raises ``BrokerUnavailable`` when Redis does not answer.
        """
        try:
            if self._redis is None:
                self._redis = open_redis(self._url)
            return self._count(self._redis)
        except (RedisError, OSError) as error:
            self._redis = None
            raise BrokerUnavailable(f"Redis at {masked(self._url)} cannot be asked: {error}") from error

    def _count(self, redis: Redis) -> dict[str, int]:
        queues, connections = _texts(redis.smembers(QUEUES)), _texts(redis.smembers(CONNECTIONS))
        # All in one transaction: a message that moves meanwhile is counted once.
        at_once = redis.pipeline(transaction=True)
        for queue in queues:
            for step in STEPS:
                at_once.llen(queue + step)
        for connection in connections:
            at_once.hkeys(f"baton:held:{connection}")
        for notes in (UNACKED, LEASED):
            at_once.hvals(notes)
        answers: list[Json] = at_once.execute()
        waiting, others = answers[: len(queues) * len(STEPS)], answers[len(queues) * len(STEPS) :]
        totals = Counter(
            {queue: sum(waiting[at * len(STEPS) : (at + 1) * len(STEPS)]) for at, queue in enumerate(queues)}
        )
        for deliveries in others[: len(connections)]:
            totals.update(queue_of(delivery.decode()[13:]) for delivery in deliveries)
        for notes in others[len(connections) :]:
            totals.update(_taken_from(note) for note in notes)
        return dict(totals)


def _texts(names: Json) -> list[str]:
    found: Iterable[bytes] = names
    return sorted(name.decode() for name in found)


def _taken_from(note: bytes) -> str:
    """Return the queue from which a worker took a message; empty for a note that nobody understands."""
    try:
        return _TAKEN.decode(note)[2]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
