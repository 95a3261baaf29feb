"""The listener: reads the queues that event handlers name, and has the handlers act on what arrives.

It writes no run: what handlers want goes to the deciders as starts and requests, whose ids follow from the message. So
a listener that dies in the middle does no harm: the message comes again, and what was done is recognised.
"""

from __future__ import annotations

import threading

from engine.api.requester import Requester
from engine.broker.event_source import Source
from engine.broker.opening_sources import EngineQueue, open_source
from engine.broker.port import OpenBroker
from engine.clock import Clock, Instant, SystemClock, after
from engine.config import Settings, named_urls
from engine.errors import BadConfiguration, BrokerUnavailable, Transient
from engine.identifier import new_id
from engine.log import get_logger
from engine.services.opening import new_broker, partitions_of, ready_store
from engine.services.presence import Presence
from engine.services.reactor import Arrival, Reactor
from engine.services.stopping import Patience, Stop, heeding_signals
from engine.store.port import Store
from engine.wire.event_address import CONDUCTOR, read_listened
from engine.wire.message import SINK_QUEUE

log = get_logger(__name__)

#: Messages that are carried together.
_BATCH = 100

#: Seconds until a reader looks whether it is to stop, and until a changed handler is noticed at most.
_LOOK_SECONDS = 0.5

#: Seconds until an action that no decider has answered is sent again.
ANSWER_SECONDS = 10.0

#: Seconds between two looks for executions that are old enough to be forgotten.
_CLEAN_SECONDS = 60.0


class Reader:
    """Reads one source in a thread of its own, so that no queue waits for another."""

    def __init__(self, identity: str | None, source: Source, reactor: Reactor) -> None:
        self._identity = identity
        self._source = source
        self._reactor = reactor
        self._stop = Stop()
        self._held: list[Arrival] = []
        self._thread = threading.Thread(target=self._run, name=f"reader {identity or CONDUCTOR}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages; what is in hand is finished."""
        self._stop.now()

    @property
    def is_alive(self) -> bool:
        """False once it has stopped, also by itself."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait until what was in hand is finished."""
        self._thread.join(seconds)

    def _run(self) -> None:
        patience = Patience(self._stop)
        while not self._stop.wanted():
            try:
                self._turn()
                patience.well()
            except Transient as error:
                patience.lost(error)
            except Exception as error:  # a reader that dies silently would leave its queue to nobody
                log.exception("reader.failed", address=self._identity)
                self._lose()
                patience.lost(error)
        self._source.close()

    def _turn(self) -> None:
        if not self._held:
            try:
                found = self._source.receive(_BATCH, _LOOK_SECONDS)
            except BrokerUnavailable:
                self._held = []
                raise
            self._held = [Arrival(delivery=each, message_id=each.message.message_id or new_id()) for each in found]
        if not self._held:
            return
        if not self._carried():
            self._stop.now()
            return
        held, self._held = self._held, []
        self._source.done([each.delivery for each in held])

    def _carried(self) -> bool:
        """Have what is held carried out; False when nobody listens any more, so that it has to stay where it was.

        What fails in a way that nobody knows is carried one by one, and the message that makes it fail is buried.
        """
        try:
            return self._reactor.carry(self._identity, self._held)
        except Transient:
            raise
        except Exception:
            log.exception("event.batch_failed", address=self._identity, messages=len(self._held))
        return all(self._carried_alone(each) for each in self._held)

    def _carried_alone(self, arrival: Arrival) -> bool:
        try:
            return self._reactor.carry(self._identity, [arrival])
        except Transient:
            raise
        except Exception as error:
            self._reactor.bury(self._identity, arrival, f"The listener failed on it: {type(error).__name__}: {error}")
            return True

    def _lose(self) -> None:
        self._held = []
        self._source.close()


class Listener:
    """Has a reader for everything that an active handler listens to, until told to stop."""

    def __init__(self, store: Store, open_broker: OpenBroker, settings: Settings, stop: Stop, *, clock: Clock) -> None:
        self._store = store
        self._open_broker = open_broker
        self._settings = settings
        self._stop = stop
        self._clock = clock
        self._connections = named_urls(settings.event_connections)
        self._readers: dict[str, Reader] = {}
        self._refused: dict[str, str] = {}
        self._reactor: Reactor | None = None
        self._requester: Requester | None = None
        self._clean_at = Instant(0)

    def run(self) -> None:
        """Look which handlers there are, again and again; what is away is waited for."""
        patience = Patience(self._stop)
        while not self._stop.wanted():
            try:
                self._look()
                patience.well()
            except Transient as error:
                patience.lost(error)
            self._stop.sleep(_LOOK_SECONDS)
        for reader in self._readers.values():
            reader.stop()
        for reader in self._readers.values():
            reader.join(self._settings.drain_seconds)
        if self._requester is not None:
            self._requester.close()

    def _look(self) -> None:
        reactor = self._ready()
        with self._store.transaction() as transaction:
            handlers = reactor.handlers(transaction)
            if self._clock.now() >= self._clean_at:
                kept = after(self._clock.now(), -self._settings.event_executions_kept_seconds)
                if not transaction.forget_event_executions(kept):
                    self._clean_at = after(self._clock.now(), _CLEAN_SECONDS)
        wanted = {identity for identity in handlers if read_listened(identity).kind != CONDUCTOR}
        for identity, reader in tuple(self._readers.items()):
            if not reader.is_alive or (identity not in wanted and identity != CONDUCTOR):
                del self._readers[identity]
                reader.stop()
                log.info("event.left", address=identity)
        self._refused = {identity: why for identity, why in self._refused.items() if identity in wanted}
        for identity in sorted(wanted - self._readers.keys()):
            self._listen(identity, reactor, handlers[identity][0].event)

    def _listen(self, identity: str, reactor: Reactor, event: str) -> None:
        try:
            source = open_source(read_listened(event), self._settings.broker_url, self._connections, self._open_broker)
        except BadConfiguration as error:
            why = "; ".join(error.faults)
            if self._refused.get(identity) != why:
                self._refused[identity] = why
                # A stack trace would say nothing beside the sentence.
                log.error("event.unreachable", address=identity, reason=why)  # noqa: TRY400
            return
        self._read(identity, identity, source, reactor)

    def _read(self, key: str, identity: str | None, source: Source, reactor: Reactor) -> None:
        reader = self._readers[key] = Reader(identity, source, reactor)
        reader.start()
        log.info("event.read", address=key)

    def _ready(self) -> Reactor:
        """Return what carries messages out, once the database is there."""
        if self._reactor is None:
            partitions = partitions_of(self._store, self._settings)
            self._requester = Requester(self._open_broker, partitions, timeout_seconds=ANSWER_SECONDS)
            self._requester.start()
            self._reactor = Reactor(self._store, self._requester, self._settings, self._clock)
            self._read(CONDUCTOR, None, EngineQueue(self._open_broker, SINK_QUEUE), self._reactor)
            log.info("service.ready", partitions=partitions)
        return self._reactor


def run(settings: Settings) -> int:
    """Run a listener until SIGTERM; return the exit code."""
    stop = heeding_signals(settings)
    store = ready_store(settings, stop)
    if store is None:
        return 0
    with Presence(store, settings, "listener", stop) as presence:
        Listener(store, lambda: new_broker(settings), settings, stop, clock=SystemClock()).run()
    store.close()
    log.info("service.stopped")
    return presence.exit_code
