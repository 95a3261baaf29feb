"""What the deciders have just stored, told to every request of this process that waits for a run: one consumer for all.

A thread of its own reads the status exchange. Everything else happens in the event loop, so nothing needs a lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from engine.broker.connection_thread import IDLE_SECONDS, ConnectionThread
from engine.broker.port import OpenBroker
from engine.broker.topology import REPLY_PREFIX
from engine.errors import BadMessage, Transient
from engine.identifier import new_id
from engine.log import get_logger
from engine.wire.message import Delivery
from engine.wire.news import NEWS_KEY, Changed, decode_news

_T = TypeVar("_T")

_log = get_logger(__name__)

#: Reads that those who watch have under way at a time, each with a thread and a connection to the database: however
#: many watch, and however large their runs are, the server has some left for everything else.
_READS = 8

#: Messages in hand; each tells of a whole batch of runs.
_PREFETCH = 1_000


class Full(Transient):
    """As many requests wait in this server as it lets wait."""


class Watch:
    """What one request wants to hear of; belongs to the event loop."""

    def __init__(self, names: Collection[str] | None = None) -> None:
        #: Workflows whose statuses it hears of, where it does not hear of single runs; None for all.
        self.names = names
        self._stirred = asyncio.Event()
        #: Runs that have changed since they were last taken, each as it was told last.
        self._changed: dict[str, Changed] = {}
        #: The runs that it hears of, where it does not hear of all.
        self.runs: set[str] = set()
        #: News may have been missed: everything is to be looked at.
        self.missed = False
        self._closed = asyncio.Event()

    @property
    def closing(self) -> bool:
        """Whether the server is about to end."""
        return self._closed.is_set()

    async def rests(self, seconds: float) -> None:
        """Wait so long, whatever happens, unless the server is about to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._closed.wait()

    async def stirs(self, seconds: float) -> bool:
        """Wait until there is news, at most so long; False when there was none."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stirred.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> tuple[bool, Collection[Changed]]:
        """Return whether news was missed, and what has changed; from then on only later news stirs."""
        taken, self._changed = self._changed, {}
        missed, self.missed = self.missed, False
        if not self.closing:
            self._stirred.clear()
        return missed, taken.values()

    def hear(self, changed: Changed) -> None:
        """Take note of a run that has changed."""
        self._changed[changed.workflow_id] = changed
        self._stirred.set()

    def miss(self) -> None:
        """Take note that news may have been missed."""
        self.missed = True
        self._stirred.set()

    def close(self) -> None:
        """Take note that the server is about to end."""
        self._closed.set()
        self._stirred.set()


class News:
    """Hears of every run that changes, and tells those that watch it.

    ``limit`` is how many may watch at a time, ``back_off_seconds`` the pause between attempts to reach a broker.
    """

    def __init__(self, open_broker: OpenBroker, *, limit: int = 1_000, back_off_seconds: float = 1.0) -> None:
        self._broker = open_broker()
        self._limit = limit
        self._queue = f"{REPLY_PREFIX}news.{new_id()}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches: set[Watch] = set()
        self._by_run: dict[str, set[Watch]] = {}
        self._of_statuses: set[Watch] = set()
        self._closing = False
        self._thread = ConnectionThread(
            "news", self._broker, connect=self._connect, turn=self._turn, back_off_seconds=back_off_seconds
        )

    def start(self) -> None:
        """Begin to listen; call it in the event loop. A broker that is away is waited for."""
        self._loop = asyncio.get_running_loop()
        self._readers = CapacityLimiter(_READS)
        self._thread.start()

    def end(self) -> None:
        """Have everybody who watches come to an end; call it in the event loop."""
        self._closing = True
        for watch in self._watches:
            watch.close()

    def close(self) -> None:
        """Stop listening."""
        self._thread.close()

    @contextmanager
    def watch(self, workflow_id: str) -> Iterator[Watch]:
        """Give a watch that hears of this run; raise ``Full`` when there are too many."""
        with self._entered(Watch()) as watch:
            self.also(watch, [workflow_id])
            yield watch

    @contextmanager
    def watch_statuses(self, names: Collection[str] | None) -> Iterator[Watch]:
        """Give a watch that is stirred whenever a run of these workflows begins, ends, or changes its status else.

        It counts every time as news that was missed. Raises ``Full`` when there are too many.
        """
        with self._entered(Watch(names)) as watch:
            self._of_statuses.add(watch)
            yield watch

    async def reading(self, look: Callable[[], _T]) -> _T:
        """Return what a look at the database finds, in a thread, when it is its turn."""
        return await run_sync(look, limiter=self._readers)

    def also(self, watch: Watch, workflow_ids: Collection[str]) -> None:
        """Have a watch hear of these runs too."""
        for workflow_id in workflow_ids:
            watch.runs.add(workflow_id)
            self._by_run.setdefault(workflow_id, set()).add(watch)

    @contextmanager
    def _entered(self, watch: Watch) -> Iterator[Watch]:
        self._expect_room()
        self._watches.add(watch)
        if self._closing:
            watch.close()
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            self._of_statuses.discard(watch)
            for workflow_id in watch.runs:
                self._by_run[workflow_id].discard(watch)
                if not self._by_run[workflow_id]:
                    del self._by_run[workflow_id]

    def _expect_room(self) -> None:
        if len(self._watches) >= self._limit:
            raise Full(
                f"{self._limit:,} requests wait in this server for runs, and no more may (BATON_WAITING_LIMIT): "
                "ask again in a moment, or look at the run with GET /api/workflow/{id}."
            )

    # in the event loop

    def _tell(self, news: Collection[Changed]) -> None:
        for changed in news:
            for watch in tuple(self._by_run.get(changed.workflow_id, ())):
                watch.hear(changed)
        moved = {changed.name for changed in news if changed.moved}
        for watch in self._of_statuses if moved else ():
            if watch.names is None or not moved.isdisjoint(watch.names):
                watch.miss()

    def _tell_of_gap(self) -> None:
        for watch in self._watches:
            watch.miss()

    # in the thread

    def _connect(self) -> None:
        self._broker.subscribe(NEWS_KEY, self._queue)
        self._broker.consume(self._queue, _PREFETCH)
        self._in_loop(self._tell_of_gap)

    def _turn(self) -> None:
        deliveries = self._broker.receive(_PREFETCH, IDLE_SECONDS)
        wanted = [each for delivery in deliveries for each in _read(delivery) if self._is_watched(each)]
        if wanted:
            self._in_loop(lambda: self._tell(wanted))
        self._broker.ack(deliveries)

    def _is_watched(self, changed: Changed) -> bool:
        """True when somebody may want to hear of it: who begins to watch after this reads the run after it too."""
        return changed.workflow_id in self._by_run or (changed.moved and bool(self._of_statuses))

    def _in_loop(self, tell: Callable[[], None]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            # The loop has ended, and with it everybody who could be told.
            self._thread.stop()


def _read(delivery: Delivery) -> Collection[Changed]:
    try:
        return decode_news(delivery)
    except BadMessage as error:
        _log.warning("news.unreadable", reason=str(error))
        return ()
