"""Acks settle exactly what was passed, however the deliveries lie."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.broker.inbox import Outstanding


def settled(outstanding: set[int], answer: tuple[int, list[int]]) -> set[int]:
    """Return what the broker would settle."""
    upto, single = answer
    return {tag for tag in outstanding if tag <= upto} | set(single)


@given(st.lists(st.sets(st.integers(1, 40)), max_size=8))
def test_the_broker_settles_exactly_the_tags_that_were_passed(rounds: list[set[int]]) -> None:
    left = set(range(1, 31))
    ledger = Outstanding()
    for tag in sorted(left):
        ledger.add(tag)

    for tags in rounds:
        assert settled(left, ledger.settle(tags)) == tags & left
        left -= tags

    assert set(ledger.tags) == left


def test_a_batch_without_gaps_takes_one_ack() -> None:
    ledger = Outstanding()
    for tag in range(1, 201):
        ledger.add(tag)

    assert ledger.settle(range(1, 101)) == (100, [])
    assert ledger.settle(range(101, 201)) == (200, [])


def test_a_delivery_that_was_not_received_yet_stops_the_batch() -> None:
    ledger = Outstanding()
    for tag in (1, 2, 3, 4):
        ledger.add(tag)

    assert ledger.settle({1, 3, 4}) == (1, [3, 4])
