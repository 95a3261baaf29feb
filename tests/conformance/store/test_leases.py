"""Deciders share the partitions: equally, with little moving, and without those that have gone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from engine.clock import after
from engine.store.port import Store
from tests.conformance.store.runs import MOMENT

LEASE = 30.0
PARTITIONS = 8


class Deciders:
    """Owners that renew their leases."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def renew(self, owner: str, seconds: float = 0, partitions: int = PARTITIONS) -> tuple[int, ...]:
        """Return what this owner may own now."""
        with self._store.transaction() as transaction:
            return transaction.share_leases(owner, after(MOMENT, seconds), LEASE, partitions)

    def settle(self, owners: Sequence[str], seconds: float = 0) -> dict[str, tuple[int, ...]]:
        """Return who owns what once everybody has renewed often enough to give up, and to take."""
        for _ in range(2):
            shares = {owner: self.renew(owner, seconds) for owner in owners}
        return shares

    def leave(self, owner: str) -> None:
        """Shut this owner down."""
        with self._store.transaction() as transaction:
            transaction.release_leases(owner)


def test_one_owner_has_everything(store: Store) -> None:
    assert Deciders(store).renew("a") == tuple(range(PARTITIONS))


def test_a_newcomer_waits_until_the_first_owner_gives_up_what_is_beyond_its_share(store: Store) -> None:
    deciders = Deciders(store)
    deciders.renew("a")
    assert deciders.renew("b") == ()
    assert deciders.renew("a") == (0, 1, 2, 3)
    assert deciders.renew("b") == (4, 5, 6, 7)


def test_three_owners_share_equally_and_nothing_is_owned_twice(store: Store) -> None:
    deciders = Deciders(store)
    deciders.settle(["a", "b"])
    shares = deciders.settle(["a", "b", "c"])
    assert sorted(len(share) for share in shares.values()) == [2, 3, 3]
    assert sorted(number for share in shares.values() for number in share) == list(range(PARTITIONS))


def test_who_has_its_share_keeps_it(store: Store) -> None:
    deciders = Deciders(store)
    before = deciders.settle(["a", "b", "c"])
    assert deciders.settle(["c", "b", "a"], 5) == before


def test_the_partitions_of_an_owner_that_died_are_taken_over_when_its_lease_runs_out(store: Store) -> None:
    deciders = Deciders(store)
    before = deciders.settle(["a", "b", "c"])
    assert deciders.settle(["a", "b"], LEASE - 1) == {owner: before[owner] for owner in ("a", "b")}
    shares = deciders.settle(["a", "b"], LEASE)
    assert sorted(number for share in shares.values() for number in share) == list(range(PARTITIONS))
    assert all(set(before[owner]) <= set(shares[owner]) for owner in ("a", "b"))


def test_an_owner_that_leaves_frees_its_partitions_at_once(store: Store) -> None:
    deciders = Deciders(store)
    deciders.settle(["a", "b"])
    deciders.leave("a")
    deciders.leave("nobody")
    assert deciders.renew("b") == tuple(range(PARTITIONS))


def test_an_owner_that_slept_past_its_lease_finds_its_partitions_gone(store: Store) -> None:
    deciders = Deciders(store)
    deciders.renew("a")
    assert deciders.renew("b", LEASE) == tuple(range(PARTITIONS))
    assert deciders.renew("a", LEASE) == ()


def test_more_owners_than_partitions_leave_some_without(store: Store) -> None:
    deciders = Deciders(store)
    owners = [str(number) for number in range(PARTITIONS + 2)]
    shares = deciders.settle(owners)
    assert sorted(len(share) for share in shares.values()) == [0, 0] + [1] * PARTITIONS


def test_partitions_that_no_longer_exist_are_given_up(store: Store) -> None:
    deciders = Deciders(store)
    deciders.renew("a")
    assert deciders.renew("a", partitions=2) == (0, 1)
    assert deciders.renew("a", partitions=4) == (0, 1, 2, 3)


def test_owners_that_renew_at_the_same_time_never_own_the_same(store: Store) -> None:
    deciders = Deciders(store)
    owners = ["a", "b", "c", "d"]
    with ThreadPoolExecutor(len(owners)) as pool:
        for _ in range(5):
            list(pool.map(deciders.renew, owners))
        shares = list(pool.map(deciders.renew, owners))
    assert sorted(number for share in shares for number in share) == list(range(PARTITIONS))
