"""One connection to Redis for as long as it lasts: its lease, which a thread renews, and what it holds."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from engine.broker import redis_scripts
from engine.broker.redis_envelope import queue_of
from engine.errors import BadConfiguration
from engine.log import get_logger
from engine.model.payload import Json

log = get_logger(__name__)

#: Seconds after which what a silent connection holds is given to others. A process that is frozen for longer may see
#: its messages handled twice, which changes nothing.
LEASE_SECONDS = 5.0

#: Seconds between two renewals of the lease; also how long after its end somebody notices.
BEAT_SECONDS = 1.0

#: Seconds that Redis may take for an answer or a connection; one that is alive answers in milliseconds.
_ANSWER_SECONDS = 10.0
_CONNECT_SECONDS = 5.0

#: Messages that one call of a script moves; Lua takes no more than some thousand values at once.
_MOST_AT_ONCE = 1_000

_LEASE = str(int(LEASE_SECONDS * 1_000))


class Receipt(Struct, frozen=True):
    """What a delivery is called in the session that holds it; void once that has ended."""

    session: RedisSession
    delivery: str


class Wish(Struct, frozen=True):
    """A queue to be read: how many of its messages may still be held, and whether one connection at a time reads it."""

    queue: str
    room: int
    single: bool


class Forgotten(Exception):
    """Redis does not know this connection any more: it was silent for too long, or Redis has lost its data."""


def open_redis(url: str, *, single: bool = True) -> Redis:
    """Return a client that reports a loss at once instead of trying again; a ``single`` one has one line, open now.

    Raises:
        BadConfiguration: the URL cannot be read.
        RedisError: nobody answers there.
    """
    try:
        return Redis.from_url(
            _as_redis_reads(url),
            single_connection_client=single,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_keepalive=True,
        )
    except (ValueError, TypeError) as error:
        raise BadConfiguration([f"The broker URL for Redis is wrong: {error}"]) from error


def _as_redis_reads(url: str) -> str:
    """Return a URL as Celery writes it in the words of redis-py."""
    if ";" in url:
        raise BadConfiguration(["The broker URL names several servers; for Redis it can name only one."])
    if url.startswith("redis+socket://"):
        return url.replace("redis+socket", "unix", 1).replace("virtual_host=", "db=")
    return re.sub(r"(?<=ssl_cert_reqs=)CERT_(\w+)", lambda found: found[1].lower(), url)


class RedisSession:
    """What lives from one ``reconnect`` to the next; every method raises ``RedisError`` when the line is lost."""

    def __init__(self, url: str, before: str) -> None:
        """Begin; ``before`` is the session that this one takes the place of, or empty."""
        self.id = uuid.uuid4().hex
        self.redis = open_redis(url)
        self._for_beats = open_redis(url)
        self._for_news: Redis | None = None
        #: The number of the database, which stands in the names of channels.
        self.database = int(self.redis.connection_pool.connection_kwargs.get("db") or 0)
        self._url = url
        self._ended = threading.Event()
        #: The deliveries that are neither acked nor rejected, each with its queue.
        self.held: dict[str, str] = {}
        self._number = 0
        self._turn = 0
        run, durable = self._server()
        self._call(redis_scripts.BEGIN, self.id, _LEASE, before, run, durable)
        self._fetch = self.redis.register_script(redis_scripts.FETCH)
        threading.Thread(target=self._beat, name="redis-lease", daemon=True).start()

    def listen(self) -> PubSub:
        """Return what hears publications, on a line of its own."""
        self._for_news = open_redis(self._url, single=False)
        line: PubSub = self._for_news.pubsub()  # type: ignore[no-untyped-call]
        return line

    def ask(self, questions: Sequence[Sequence[str | bytes | int]]) -> list[Json]:
        """Send several commands at once and return the answers; a refusal is an answer too.

        redis-py's pipelines would take another line from a pool, and open one without a word where this one is lost.
        """
        line: Json = self.redis.connection
        line.send_packed_command(line.pack_commands(questions))
        return [_answer(line) for _ in questions]

    def fetch(self, wishes: Sequence[Wish], limit: int, most_bytes: int) -> list[tuple[Receipt, str, bytes]]:
        """Take what waits, without waiting for more: receipt, queue and payload of each message.

        After ``most_bytes`` no more is taken.

        Raises ``Forgotten`` when the lease has run out.
        """
        wanted = [wish for wish in wishes if wish.room > 0]
        # Every queue comes first once in a while, so that a busy one does not starve the others.
        self._turn = (self._turn + 1) % max(len(wanted), 1)
        arguments: list[str | int] = [self.id, _LEASE, self._number, min(limit, _MOST_AT_ONCE), most_bytes]
        for wish in (*wanted[self._turn :], *wanted[: self._turn]):
            arguments += [wish.queue, wish.room, "1" if wish.single else ""]
        taken: Json = self._fetch(args=arguments)
        if taken is None:
            raise Forgotten("Redis does not know this connection any more")
        found = []
        for name, payload in zip(taken[::2], taken[1::2], strict=True):
            delivery = name.decode()
            queue = queue_of(delivery[13:])
            self.held[delivery] = queue
            found.append((Receipt(self, delivery), queue, payload))
        self._number += len(found)
        return found

    def ack(self, receipts: Sequence[Receipt]) -> None:
        """Forget deliveries."""
        if deliveries := self._settled(receipts):
            self.redis.hdel(f"baton:held:{self.id}", *deliveries)

    def reject(self, receipts: Sequence[Receipt]) -> None:
        """Put deliveries back where they came from."""
        if deliveries := self._settled(receipts):
            self._call(redis_scripts.REJECT, self.id, *deliveries)

    def take(self, key: str, payload: bytes) -> Receipt | None:
        """Hold one message out of the middle of a list; None when it has gone."""
        self._number += 1
        delivery = f"{self._number:012d} {key}"
        if not self._call(redis_scripts.TAKE, self.id, delivery, key, payload):
            return None
        self.held[delivery] = queue_of(key)
        return Receipt(self, delivery)

    def own(self, queue: str) -> None:
        """Declare a queue that vanishes with this session."""
        self._call(redis_scripts.OWN, self.id, queue)

    def claim(self, queue: str) -> None:
        """Become the one that reads a queue, unless somebody is."""
        self._call(redis_scripts.CLAIM, self.id, queue)

    def active(self, queue: str) -> int | None:
        """Return how many read a queue that one at a time may read; None when there is no such queue."""
        count: int | None = self._call(redis_scripts.COUNT, queue)
        return count

    def leave(self, queue: str) -> None:
        """Let another connection read a queue that one at a time may read."""
        self._call(redis_scripts.LEAVE, self.id, queue)

    def declare(self, queues: Sequence[str]) -> None:
        """Make these queues known."""
        if queues:
            self._call(redis_scripts.DECLARE, *queues)

    def end(self, *, politely: bool) -> None:
        """Close every line; ``politely`` gives back what is held first, else that waits for the lease to run out."""
        self._ended.set()
        with suppress(RedisError, OSError):
            if politely:
                self._call(redis_scripts.END, self.id)
        for redis in (self.redis, self._for_beats, self._for_news):
            if redis is not None:
                with suppress(RedisError, OSError):
                    redis.close()

    def _settled(self, receipts: Sequence[Receipt]) -> list[str]:
        return [
            receipt.delivery
            for receipt in receipts
            if receipt.session is self and self.held.pop(receipt.delivery, None) is not None
        ]

    def _server(self) -> tuple[str, str]:
        """Return which run of the server this is, and ``1`` if it logs all it is told; empty where we may not know."""
        try:
            about: Json = self.redis.info("server")
            kept: Json = self.redis.info("persistence")
        except ResponseError as error:
            log.warning("redis.run_unknown", reason=str(error))
            return "", ""
        return str(about.get("run_id", "")), "1" if kept.get("aof_enabled") else ""

    def _call(self, script: str, *arguments: str | bytes) -> Json:
        return self.redis.eval(script, 0, *arguments)

    def _beat(self) -> None:
        """Renew the lease until the session ends; whoever uses the line notices when it is lost."""
        beat = self._for_beats.register_script(redis_scripts.BEAT)
        while not self._ended.wait(BEAT_SECONDS):
            try:
                if not beat(args=[self.id, _LEASE]):
                    return
            except (RedisError, OSError, ValueError) as error:
                log.debug("redis.beat_lost", reason=str(error))


def _answer(line: Json) -> Json:
    try:
        return line.read_response()
    except ResponseError as refusal:
        return refusal
