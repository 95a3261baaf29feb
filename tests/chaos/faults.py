"""The faults: which ones there are, in which order a seed brings them, and how each is done."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

from tests.chaos.private_pair import PrivatePair
from tests.chaos.troupe import ROLES, Troupe

#: Every kind of fault with what it may strike.
FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "decider killed": ("decider one", "decider two"),
    "starter killed": ("starter",),
    "timekeeper killed": ("timekeeper",),
    "server killed": ("server",),
    "worker killed": ("worker", "plain worker"),
    "system worker killed": ("script worker", "http worker"),
    "worker out of memory": ("worker",),
    "process frozen": ROLES,
    "broker restarted": ("broker",),
    "broker killed": ("broker",),
    "broker wiped": ("broker",),
    "broker frozen": ("broker",),
    "database restarted": ("database",),
    "database killed": ("database",),
    "database frozen": ("database",),
    "lines cut": ("broker", "database"),
    "lines half-closed": ("broker", "database"),
    "lines silent": ("broker", "database"),
    "lines slow": ("broker", "database"),
}

#: Seconds within which new work is done and old work has moved on; a worker's are ten, and its longest task beside.
TARGETS: Final[dict[str, float]] = {
    "decider killed": 5.0,
    "worker killed": 11.0,
    "system worker killed": 11.0,
    "broker restarted": 15.0,
    "broker killed": 15.0,
}

#: Seconds within which a task that takes too much memory must have begun.
PATIENCE: Final = 60.0

#: One other fault in so many is followed by the next one before anybody has recovered.
_ON_THE_HEELS: Final = 5


@dataclass(frozen=True)
class Fault:
    """One fault of a schedule; ``seconds`` is how long it lasts, or how long who was killed stays away."""

    kind: str
    target: str
    seconds: float
    #: True where the other side of something two-sided is meant.
    other: bool
    #: True where the next fault does not wait until this one is overcome.
    hurried: bool
    #: Pause before it, seconds.
    pause: float


def schedule(seed: int, kinds: Sequence[str]) -> Iterator[Fault]:
    """Yield faults without end: every kind once, in an order of the seed's, then again in another one.

    What has a target is measured alone: it neither hurries nor follows one that did.
    """
    chance = Random(f"faults {seed}")
    while True:
        order = list(kinds)
        chance.shuffle(order)
        for kind, following in pairwise((*order, None)):
            assert kind is not None
            alone = following is None or kind in TARGETS or following in TARGETS
            yield Fault(
                kind,
                chance.choice(FAULTS[kind]),
                round(chance.uniform(0.5, 6.0), 1),
                chance.random() < 0.5,
                chance.randrange(_ON_THE_HEELS) == 0 and not alone,
                round(chance.uniform(0.3, 1.5), 1),
            )


@dataclass(frozen=True)
class Blow:
    """What a fault has done."""

    #: The moment (``time.monotonic``) from which recovery counts: that of a kill or a cut; of what lasts, its end.
    since: float
    #: Runs that the fault itself has started, and that are to end all the same.
    started: frozenset[str] = frozenset()


class Hand:
    """Does the faults."""

    def __init__(
        self, servers: PrivatePair, troupe: Troupe, on_wipe: Callable[[], None], start_hungry: Callable[[], str]
    ) -> None:
        self._servers = servers
        self._troupe = troupe
        self._on_wipe = on_wipe
        self._start_hungry = start_hungry
        self._proxies = {"broker": servers.broker, "database": servers.database}

    def do(self, fault: Fault) -> Blow:
        """Do a fault, when everybody killed before is back."""
        self._troupe.all_back()
        verb = fault.kind.rpartition(" ")[2]
        if fault.target in self._proxies:
            _SERVER_FAULTS[verb](self, fault)
            return Blow(time.monotonic())
        if verb == "killed":
            began = time.monotonic()
            self._troupe.kill(fault.target, absent=fault.seconds / 3)
            return Blow(began)
        if verb == "memory":
            return self._starve()
        self._troupe.tell(fault.target, signal.SIGSTOP)
        time.sleep(fault.seconds)
        self._troupe.tell(fault.target, signal.SIGCONT)
        return Blow(time.monotonic())

    def _starve(self) -> Blow:
        """Have a task take more memory than its process may have, which ends the process."""
        before = len(self._troupe.starved())
        run = self._start_hungry()
        deadline = time.monotonic() + PATIENCE
        while len(self._troupe.starved()) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        return Blow(max(self._troupe.starved()[before:], default=time.monotonic()), frozenset({run}))

    def _restart(self, fault: Fault, *, kill: bool = False, wipe: bool = False) -> None:
        if fault.target == "database":
            self._servers.stop_database(kill)
            time.sleep(fault.seconds / 2)
            self._servers.start_database()
            return
        self._servers.stop_broker(kill)
        if wipe:
            self._on_wipe()
        self._servers.start_broker(wiped=wipe)

    def _kill(self, fault: Fault) -> None:
        self._restart(fault, kill=True)

    def _wipe(self, fault: Fault) -> None:
        self._restart(fault, kill=fault.other, wipe=True)

    def _freeze(self, fault: Fault) -> None:
        tell = self._servers.tell_broker if fault.target == "broker" else self._servers.tell_database
        tell(signal.SIGSTOP)
        time.sleep(fault.seconds)
        tell(signal.SIGCONT)

    def _cut(self, fault: Fault) -> None:
        self._proxies[fault.target].cut()

    def _half_close(self, fault: Fault) -> None:
        self._proxies[fault.target].half_close(towards_client=fault.other)

    def _silence(self, fault: Fault) -> None:
        proxy = self._proxies[fault.target]
        proxy.silence()
        time.sleep(fault.seconds)
        proxy.end_silence()

    def _slow(self, fault: Fault) -> None:
        proxy = self._proxies[fault.target]
        proxy.slow(0.3 if fault.other else 0.05)
        time.sleep(fault.seconds)
        proxy.slow(0)


_SERVER_FAULTS: Final[dict[str, Callable[[Hand, Fault], None]]] = {
    "restarted": Hand._restart,
    "killed": Hand._kill,
    "wiped": Hand._wipe,
    "frozen": Hand._freeze,
    "cut": Hand._cut,
    "half-closed": Hand._half_close,
    "silent": Hand._silence,
    "slow": Hand._slow,
}
