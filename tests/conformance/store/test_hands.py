"""What a process has in hand is known when it dies with it, and forgotten when it lets go."""

from __future__ import annotations

from engine.clock import after
from engine.store.port import InHand, Store
from tests.conformance.store.runs import MOMENT

ONE, TWO = "1" * 64, "2" * 64


def line(message: str, owner: str, seconds: float = 0) -> InHand:
    return InHand(message=message, owner=owner, queue="baton.start", label="a start", at=after(MOMENT, seconds))


def take(store: Store, *lines: InHand) -> None:
    with store.transaction() as transaction:
        transaction.take_in_hand(lines)


def deaths(store: Store, owner: str = "asking") -> dict[str, int]:
    with store.transaction() as transaction:
        return transaction.deaths([ONE, TWO], owner)


def test_every_other_owner_that_never_let_go_counts_as_a_death(store: Store) -> None:
    take(store, line(ONE, "a"), line(TWO, "a"))
    take(store, line(ONE, "b"))
    assert deaths(store) == {ONE: 2, TWO: 1}
    assert deaths(store, "b") == {ONE: 1, TWO: 1}


def test_what_is_let_go_is_forgotten_whoever_had_it(store: Store) -> None:
    take(store, line(ONE, "a"), line(TWO, "a"))
    take(store, line(ONE, "b"))
    with store.transaction() as transaction:
        transaction.let_go([ONE])
    assert deaths(store) == {TWO: 1}


def test_a_process_that_ends_well_lets_all_go(store: Store) -> None:
    take(store, line(ONE, "a"), line(TWO, "a"))
    take(store, line(ONE, "b"))
    with store.transaction() as transaction:
        transaction.let_all_go("a")
        assert transaction.all_in_hand() == (line(ONE, "b"),)


def test_lines_of_a_week_ago_are_forgotten(store: Store) -> None:
    take(store, line(ONE, "a"))
    take(store, line(TWO, "b", 6 * 86_400))
    assert deaths(store) == {ONE: 1, TWO: 1}
    take(store, line(TWO, "c", 8 * 86_400))
    assert deaths(store) == {TWO: 2}


def test_nothing_in_hand_is_no_death(store: Store) -> None:
    take(store)
    assert deaths(store) == {}
