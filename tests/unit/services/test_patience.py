"""Servers that are away are waited for: longer each time, each by itself, never long."""

from __future__ import annotations

import pytest

from engine.errors import BrokerUnavailable, StoreUnavailable
from engine.services.stopping import Patience, Stop


class Watched(Stop):
    """Sleeps not at all, and remembers for how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def stop() -> Watched:
    return Watched()


def test_pauses_grow_to_three_seconds_and_no_further(stop: Watched) -> None:
    patience = Patience(stop)
    for _ in range(8):
        patience.lost(BrokerUnavailable("away"))
    assert stop.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0, 3.0]


def test_a_database_that_has_just_gone_is_not_waited_for_as_long_as_the_broker_before_it(stop: Watched) -> None:
    # Given a broker that was away for long, and is there again.
    patience = Patience(stop)
    for _ in range(6):
        patience.lost(BrokerUnavailable("away"))
    # When the database goes before anything has been done.
    patience.lost(StoreUnavailable("away"))
    # Then it is tried again at once.
    assert stop.slept[-1] == 0.1


def test_a_success_starts_over(stop: Watched) -> None:
    patience = Patience(stop)
    patience.lost(StoreUnavailable("away"))
    patience.lost(StoreUnavailable("away"))
    patience.well()
    patience.lost(StoreUnavailable("away"))
    assert stop.slept == [0.1, 0.2, 0.1]
