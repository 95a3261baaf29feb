"""Results are kept under a digest for as long as they count, and no more of them than there is room for."""

from __future__ import annotations

from collections.abc import Collection

from engine.clock import Instant
from engine.model.payload import JsonObject
from engine.store.port import Store
from engine.store.results_port import StoredResult
from tests.conformance.store.runs import MOMENT


def keep(store: Store, digest: str, output: JsonObject, until: int = MOMENT + 10) -> None:
    with store.transaction() as transaction:
        transaction.keep_results([StoredResult(digest=digest, output=output, until=Instant(until))])


def kept(store: Store, *digests: str, at: int = MOMENT) -> dict[str, JsonObject]:
    with store.transaction() as transaction:
        return transaction.kept_results(digests, Instant(at))


def forget(store: Store, at: int = MOMENT, **limits: int) -> int:
    with store.transaction() as transaction:
        return transaction.forget_results(Instant(at), **limits)


def every(store: Store, digests: Collection[str]) -> set[str]:
    return set(kept(store, *digests, at=0))


def test_what_was_kept_is_found_until_its_time_is_over(store: Store) -> None:
    keep(store, "a", {"text": "Größe\0", "list": [1, None, {"deep": 1.5}]})
    keep(store, "empty", {})
    assert kept(store, "a", "empty", "unknown") == {
        "a": {"text": "Größe\0", "list": [1, None, {"deep": 1.5}]},
        "empty": {},
    }
    assert kept(store, "a", at=MOMENT + 9)
    assert not kept(store, "a", at=MOMENT + 10)
    assert not kept(store)


def test_a_later_result_takes_the_place_of_an_earlier_one(store: Store) -> None:
    keep(store, "a", {"n": 1})
    keep(store, "a", {"n": 2}, until=MOMENT + 20)
    assert kept(store, "a", at=MOMENT + 15) == {"a": {"n": 2}}


def test_of_two_at_once_under_one_digest_the_last_is_kept(store: Store) -> None:
    twins = [StoredResult(digest="a", output={"n": n}, until=Instant(MOMENT + 10)) for n in (1, 2)]
    with store.transaction() as transaction:
        transaction.keep_results(twins)
    assert kept(store, "a") == {"a": {"n": 2}}


def test_what_does_not_count_any_more_is_forgotten(store: Store) -> None:
    for number in range(4):
        keep(store, f"r{number}", {}, until=MOMENT + number)
    assert forget(store, MOMENT + 1) == 2
    assert every(store, ["r0", "r1", "r2", "r3"]) == {"r2", "r3"}
    assert forget(store, MOMENT + 1) == 0


def test_of_too_many_those_that_go_first_anyway_are_forgotten(store: Store) -> None:
    for number in range(5):
        keep(store, f"r{number}", {}, until=MOMENT + 10 + number)
    assert forget(store, most=5) == 0
    assert forget(store, most=3) == 2
    assert every(store, [f"r{number}" for number in range(5)]) == {"r2", "r3", "r4"}
