"""Being known: a service says every ten seconds that it is there, and ends when its version may work no longer.

``baton migrate --after`` looks at these signs before it takes away what an older version uses.
"""

from __future__ import annotations

import os
import socket
import threading
from types import TracebackType
from typing import Final

from engine.clock import SystemClock
from engine.config import Settings
from engine.errors import SchemaTooNew, Transient
from engine.identifier import new_id
from engine.log import get_logger
from engine.services.stopping import Patience, Stop
from engine.store.port import Store
from engine.store.presence import farewell, sign_of_life, this_process, way_in

log = get_logger(__name__)

#: Seconds between two signs of life, and seconds for which one is believed: so long does a process that was killed
#: hold up whoever waits for its end.
_INTERVAL_SECONDS: Final = 10.0
_BELIEVED_SECONDS: Final = 30.0


class Presence:
    """Signs of life of this process, from entering the block until leaving it.

    Entering waits for the database. Raises ``SchemaTooNew`` when this version must not begin; when it must not go on,
    that is logged, stopping is wanted, and ``exit_code`` is 1.
    """

    def __init__(self, store: Store, settings: Settings, kind: str, stop: Stop) -> None:
        self._store = store
        self._url = settings.database_url
        self._stop = stop
        self._clock = SystemClock()
        self._left = threading.Event()
        self._who = this_process(f"{socket.gethostname()}-{os.getpid()}-{new_id()[-6:]}", kind)
        self._thread = threading.Thread(target=self._go_on, name="presence", daemon=True)
        self.exit_code = 0

    def __enter__(self) -> Presence:
        patience = Patience(self._stop)
        while not self._stop.wanted():
            try:
                self._sign(first=True)
                break
            except Transient as error:
                patience.lost(error)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        try:
            farewell(way_in(self._store, self._url), self._who)
        except Transient as failure:
            log.debug("presence.not_withdrawn", reason=str(failure))

    def _sign(self, *, first: bool) -> None:
        # What the first one locks stays locked until its connection ends.
        way = self._url if first else way_in(self._store, self._url)
        sign_of_life(way, self._who, self._clock.now(), _BELIEVED_SECONDS, first=first)

    def _go_on(self) -> None:
        while not self._left.wait(_INTERVAL_SECONDS):
            try:
                self._sign(first=False)
            except Transient as error:
                # The service itself tells of a database that is away.
                log.debug("presence.unsigned", reason=str(error))
            except SchemaTooNew as error:
                log.critical("schema.too_new", reason=str(error))
                self.exit_code = 1
                self._stop.now()
                return
