"""Measures how long a fault is felt: until new work is done on every partition, and all old work has moved on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from math import inf

from engine.wire.partition import partition_of
from engine.wire.start_message import derived_id
from tests.chaos.faults import Blow
from tests.chaos.journal import Client, Journal
from tests.chaos.observer import Observer
from tests.chaos.workload import CANARY

#: Seconds after which a fault counts as not overcome.
PATIENCE = 90.0

_LOOK = 0.1


@dataclass(frozen=True)
class Recovery:
    """Seconds until new work was done, and until every run that was open had moved on; None: not in time.

    New work is a run that has ended on each partition, runs that the fault has started, and a healthy server.
    """

    new: float | None
    old: float | None

    @property
    def seconds(self) -> float:
        """Until both; infinite when not in time."""
        return inf if self.new is None or self.old is None else max(self.new, self.old)


class Recoveries:
    """Sends one canary to every partition and looks after all that was open."""

    def __init__(
        self,
        observer: Observer,
        journal: Journal,
        partitions: int,
        client: Callable[[], Client],
        is_healthy: Callable[[], bool],
    ) -> None:
        self._observer = observer
        self._journal = journal
        self._partitions = partitions
        self._client = client
        self._is_healthy = is_healthy
        self._numbers = count(1)

    def measure(self, blow: Blow) -> Recovery:
        """Return how long it took."""
        since = blow.since
        unmoved = self._observer.versions()
        flown: list[set[str]] = []
        sender = threading.Thread(target=lambda: flown.append(self._send()), daemon=True)
        sender.start()
        new = old = None
        while (new is None or old is None) and time.monotonic() < since + PATIENCE:
            if new is None and flown and self._all_done(flown[0] | blow.started):
                new = time.monotonic() - since
            if old is None:
                unmoved = self._observer.unmoved(unmoved)
                old = None if unmoved else time.monotonic() - since
            time.sleep(_LOOK)
        return Recovery(new, old)

    def _all_done(self, runs: set[str]) -> bool:
        return not self._observer.still_open(runs) and self._is_healthy()

    def _send(self) -> set[str]:
        client, stop, sent = self._client(), threading.Event(), set()
        threading.Timer(PATIENCE, stop.set).start()
        for partition in range(self._partitions):
            start = client.start(CANARY, self._message_id(partition), 0, stop)
            if start is not None:
                self._journal.note(start)
                sent.add(start.workflow_id)
        client.close()
        return sent

    def _message_id(self, partition: int) -> str:
        """Return a message id from which a run in that partition follows."""
        names = (f"canary-{number}" for number in self._numbers)
        return next(
            name for name in names if partition_of(derived_id("message", CANARY, name), self._partitions) == partition
        )
