"""What an idle engine asks of the database in a minute, counted and not timed: it is what an idle machine pays for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event

from engine.broker.memory import MemoryBroker, MemoryConnection
from engine.clock import Instant, after
from engine.config import Settings
from engine.services.decider import RoadService
from engine.services.stopping import Stop
from engine.services.timekeeper import Timekeeper
from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.port import Save
from engine.store.transaction import SqlStore
from engine.testing.clock import FixedClock
from engine.wire.message import Delivery
from tests.conformance.store.runs import a_run

#: Statements in a minute in which nothing happens and runs wait for tomorrow. A timekeeper asks for the next date of
#: runs and of schedules every two seconds, and has a dozen chores every five; it asked six hundred times before.
MOST_OF_A_TIMEKEEPER = 180

#: A decider renews its leases every five seconds while it is the only one; it did so every second.
MOST_OF_A_DECIDER = 60


class QuietMinute:
    """A clock that goes on whenever somebody waits for messages, and stops everything after a minute."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.clock, self.stop, self.settings = store, FixedClock(), Stop(), Settings()
        self.line: MemoryConnection = MemoryBroker().connect()
        self.end = after(self.clock.now(), 60)
        self._listen = self.line.receive
        self.line.receive = self._wait  # type: ignore[method-assign]

    def _wait(self, limit: int, wait_seconds: float) -> list[Delivery]:
        heard = self._listen(limit, 0)
        if not heard:
            self.clock.set(after(self.clock.now(), wait_seconds))
        if self.clock.now() >= self.end:
            self.stop.now()
        return heard


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path_factory.mktemp('idle') / 'baton.db'}"
    migrate(url)
    store = SqlStore(open_database(url, 1))
    yield store
    store.close()


def statements(minute: QuietMinute, work: Callable[[], None]) -> int:
    """Return how many statements the minute has taken."""
    tomorrow: Instant = after(minute.clock.now(), 86_400)
    with minute.store.transaction() as transaction:
        runs = [a_run(f"run-{number}", wake_at=tomorrow) for number in range(10)]
        transaction.save([Save(workflow=run, loaded_version=None) for run in runs])
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    event.listen(minute.store.database, "after_cursor_execute", note)
    work()
    assert minute.clock.now() >= minute.end
    return len(asked)


def test_a_timekeeper_asks_so_many_times_and_no_more(store: SqlStore) -> None:
    minute = QuietMinute(store)
    keeper = Timekeeper(store, minute.line, minute.settings, minute.stop, clock=minute.clock)
    assert 0 < statements(minute, keeper.run) <= MOST_OF_A_TIMEKEEPER


def test_a_decider_asks_so_many_times_and_no_more(store: SqlStore) -> None:
    minute = QuietMinute(store)
    road = RoadService(store, minute.line, minute.settings, minute.stop, clock=minute.clock, starter=False)
    assert 0 < statements(minute, road.run) <= MOST_OF_A_DECIDER


def test_a_starter_asks_nothing(store: SqlStore) -> None:
    minute = QuietMinute(store)
    road = RoadService(store, minute.line, minute.settings, minute.stop, clock=minute.clock, starter=True)
    assert statements(minute, road.run) <= 2
