"""How every service starts, waits out what is away, and stops: cleanly on SIGTERM, never by dying of a lost server."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from engine.broker.port import Broker
from engine.config import Settings
from engine.errors import BrokerUnavailable, Transient
from engine.log import get_logger
from engine.services.alive_file import AliveFile

log = get_logger(__name__)

#: Seconds to wait before the first new attempt, and at most: so much later than need be is work resumed.
_FIRST_SECONDS = 0.1
_MOST_SECONDS = 3.0


class Stop:
    """The wish to stop: set once, by a signal or another thread; whoever waits on something is woken.

    Every service asks for it at each turn, so that being asked is the sign that it goes on: ``alive`` is touched then.
    """

    def __init__(self, alive: AliveFile | None = None) -> None:
        self._alive = alive
        self._wanted = threading.Event()
        self._wake: list[Callable[[], None]] = []

    def on_signals(self, most_seconds: float | None = None) -> None:
        """Stop on SIGTERM and on Ctrl-C; call it from the main thread.

        A process that still runs ``most_seconds`` after the first signal ends at once, with exit code 1: a broker that
        takes no messages for lack of memory, or a database that does not answer, can hold it up without end. It loses
        nothing by that, because what it has not acked comes again.
        """
        if most_seconds is not None:
            threading.Thread(target=self._end_after, args=[most_seconds], name="impatience", daemon=True).start()
        told, tell = os.pipe()
        threading.Thread(target=self._heed, args=[told], name="signals", daemon=True).start()
        # A handler runs in the middle of whatever its thread does, also while that holds a lock, of this event or of a
        # log: it may take none, or the process would hang for ever.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _frame: os.write(tell, bytes([number])))

    def _heed(self, told: int) -> None:
        while numbers := os.read(told, 64):
            for number in numbers:
                log.info("service.stopping", signal=signal.Signals(number).name)
            self.now()

    def _end_after(self, seconds: float) -> None:
        self._wanted.wait()
        time.sleep(seconds)
        log.error("service.ended_by_force", after_seconds=seconds, reason="database or broker did not answer")
        os._exit(1)

    def also(self, wake: Callable[[], None]) -> None:
        """Call this when stopping is wanted, to interrupt a wait."""
        self._wake.append(wake)

    def now(self) -> None:
        """Want to stop."""
        self._wanted.set()
        for wake in self._wake:
            wake()

    def wanted(self) -> bool:
        """True once somebody wants the service to stop."""
        if self._alive is not None:
            self._alive.touch()
        return self._wanted.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the wish to stop."""
        self._wanted.wait(seconds)


def heeding_signals(settings: Settings) -> Stop:
    """Return the wish to stop of a process: signals wake it, the drain bounds it, the alive file shows who goes on.

    Raises ``BadConfiguration`` when that file cannot be made.
    """
    stop = Stop(None if settings.alive_file is None else AliveFile(settings.alive_file))
    stop.on_signals(settings.drain_seconds)
    return stop


class Patience:
    """Growing pauses while a server is away; the first success starts over.

    Each server is waited for by itself: one that has just gone is not waited for as long as another that was away.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._seconds: dict[type[Exception], float] = {}

    def lost(self, error: Exception) -> None:
        """Take note of a failure and wait before the next attempt."""
        seconds = min(max(self._seconds.get(type(error), 0.0) * 2, _FIRST_SECONDS), _MOST_SECONDS)
        self._seconds[type(error)] = seconds
        log.warning("server.away", reason=str(error), retry_in_seconds=seconds)
        self._stop.sleep(seconds)

    def well(self) -> None:
        """Take note of a success."""
        self._seconds.clear()


def carry_on(turn: Callable[[], None], broker: Broker, stop: Stop, *, lost: Callable[[], None] = lambda: None) -> None:
    """Take one turn after the other until stopping is wanted, then close the broker's connection.

    A server that is away is waited for, and a lost connection to the broker is made anew, ``lost`` being called first.
    """
    patience = Patience(stop)
    while not stop.wanted():
        try:
            turn()
            patience.well()
        except BrokerUnavailable as error:
            lost()
            patience.lost(error)
            _reconnect(broker, stop)
        except Transient as error:
            patience.lost(error)
    try:
        broker.close()
    except Transient as error:
        log.debug("broker.left_unclosed", reason=str(error))


def _reconnect(broker: Broker, stop: Stop) -> None:
    if stop.wanted():
        return
    try:
        broker.reconnect()
    except BrokerUnavailable as error:
        log.debug("broker.still_away", reason=str(error))
