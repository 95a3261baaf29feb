"""Processes that run the real services and can be halted, crashed or robbed of a server wherever they touch one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from engine.broker.memory import MemoryConnection
from engine.clock import Instant, after
from engine.errors import BrokerUnavailable, StoreUnavailable
from engine.services.stopping import Stop

if TYPE_CHECKING:
    from tests.simulation.world import World


#: How long a line may be gone without anything else being noticed: shorter than a lease.
LONG_SECONDS = 5


class Crashed(BaseException):
    """Thrown into a process that dies: no handler of the engine may catch it."""


class SimulatedStop(Stop):
    """Sleeps on the simulated clock and is never told to stop."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def wanted(self) -> bool:
        return False

    def sleep(self, seconds: float) -> None:
        self._process.wait(seconds, lambda: False)


class Process:
    """One simulated process: a service's own loop, halted whenever it touches the store, the broker or the clock."""

    def __init__(self, name: str, world: World, main: Callable[[Process], None]) -> None:
        self.name = name
        self.world = world
        self.connection: MemoryConnection = world.hub.connect()
        self.stalled_until = Instant(0)
        #: The broker has just refused something for good: what is published next follows from it.
        self.refused = False
        self._until = Instant(0)
        self._ready: Callable[[], bool] | None = None
        self._greenlet = greenlet(lambda: main(self))

    @property
    def dead(self) -> bool:
        return self._greenlet.dead

    def runnable(self) -> bool:
        now = self.world.clock.now()
        if now < self.stalled_until:
            return False
        return self._ready is None or now >= self._until or self._ready()

    def wakes_at(self) -> Instant:
        """Return when the process goes on by itself."""
        return max(self._until, self.stalled_until)

    def run(self) -> None:
        """Let the process go on to where it next lets go."""
        self._ready = None
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()

    def kill(self) -> None:
        """Let the process die where it stands."""
        if not self._greenlet.dead:
            self._greenlet.parent = getcurrent()
            with suppress(Crashed):
                self._greenlet.throw(Crashed())

    # called from within

    def wait(self, seconds: float, ready: Callable[[], bool]) -> None:
        """Let others go on until ``ready`` or until the time is over."""
        self._until = after(self.world.clock.now(), max(seconds, 0.000_001))
        self._ready = ready
        self._let_go()

    def point(self, name: str, *, halt: bool = True) -> None:
        """Pass a point of the road: others may go on here, and what is to happen here happens."""
        fault = self.world.faults.at(self, name)
        if fault is not None:
            self.world.note(f"{self.name} {fault} at {name}")
        match fault:
            case "crash":
                self.world.crashed_at(self, name)
                raise Crashed
            case "cut" | "cut long":
                self.world.cut_at(self)
                if fault == "cut long":
                    self.stalled_until = after(self.world.clock.now(), LONG_SECONDS)
                raise BrokerUnavailable("the story has cut the line")
            case "store":
                raise StoreUnavailable("the story has taken the database away")
        if halt:
            self._let_go()

    def _let_go(self) -> None:
        parent = self._greenlet.parent
        assert parent is not None
        parent.switch()
