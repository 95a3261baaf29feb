"""A thread that owns a broker connection: many in this process share what it sends and hears."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from engine.broker.port import Broker
from engine.errors import BrokerUnavailable
from engine.log import get_logger

_log = get_logger(__name__)

#: Seconds that a turn waits for messages before the thread looks around; ``Broker.interrupt`` ends the wait.
IDLE_SECONDS: Final = 5.0


class ConnectionThread:
    """Connects, takes turn after turn, and connects anew when a turn has failed, until it is closed.

    ``connect`` declares and consumes what is needed on a connection that was just opened. ``turn`` does what there is
    to do and waits ``IDLE_SECONDS`` at most. ``lost`` is told of each failure; a pause of ``back_off_seconds`` follows.
    ``ended`` is called last, with whether there is still a connection. All four run in the thread; ``name`` is its
    name, and the subject of what it logs.
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        *,
        connect: Callable[[], None],
        turn: Callable[[], None],
        lost: Callable[[BrokerUnavailable], None] = lambda _: None,
        ended: Callable[[bool], None] = lambda _: None,
        back_off_seconds: float,
    ) -> None:
        self._name = name
        self._broker = broker
        self._connect = connect
        self._turn = turn
        self._lost = lost
        self._ended = ended
        self._back_off_seconds = back_off_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether no further turn will be taken."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Begin; a broker that is away is waited for."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further turn; may be called in the thread itself."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and wait until the connection is closed."""
        self.stop()
        self._broker.interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout=IDLE_SECONDS)

    def _run(self) -> None:
        connected = False
        while not self.is_stopping:
            try:
                if not connected:
                    self._broker.reconnect()
                    self._connect()
                    connected = True
                self._turn()
            except Exception as error:  # a thread that dies silently would leave everybody without an answer
                connected = False
                if not isinstance(error, BrokerUnavailable):
                    _log.exception(f"{self._name}.failed")
                self._lost(BrokerUnavailable(f"The broker cannot be reached: {error}"))
                self._stopped.wait(self._back_off_seconds)
        self._ended(connected)
        self._broker.close()
