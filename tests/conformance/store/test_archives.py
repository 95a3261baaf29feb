"""Archives of removed runs leave their rows: one after the other, to one who carries them at a time."""

from __future__ import annotations

from engine.clock import Instant, after
from engine.store.archive_port import Archived
from engine.store.history_port import RemovedRun
from engine.store.port import Save, Store
from tests.conformance.store.runs import MOMENT, a_run, change, create, save

LEASE = 60.0


def remove(store: Store, identity: str, at: int, *, archive: bool = True) -> Archived:
    create(store, a_run(identity))
    document = {"of": identity, "removed": at} if archive else None
    removed = RemovedRun(workflow_id=identity, at=Instant(at), document=document)
    save(store, Save(workflow=change(a_run(identity)), loaded_version=1, removed=removed))
    return Archived(identity, Instant(at))


def test_archives_are_taken_in_hand_by_one_at_a_time_the_oldest_first(store: Store) -> None:
    second, first = remove(store, "second", MOMENT + 1), remove(store, "first", MOMENT)
    remove(store, "bare", MOMENT, archive=False)
    with store.transaction() as transaction:
        assert transaction.archives_in_rows(10) == 2
        assert transaction.archives_in_rows(1) == 1
        assert transaction.archives_to_move(MOMENT, LEASE, 1) == (first,)
        assert transaction.archives_to_move(MOMENT, LEASE, 10) == (second,)
        assert transaction.archives_to_move(after(MOMENT, LEASE - 1), LEASE, 10) == ()
        assert transaction.archives_to_move(after(MOMENT, LEASE), LEASE, 10) == (first, second)


def test_what_was_moved_is_in_no_row_any_more_and_that_it_is_outside_is_known(store: Store) -> None:
    moved, left = remove(store, "moved", MOMENT), remove(store, "left", MOMENT)
    with store.transaction() as transaction:
        transaction.note_moved([moved], MOMENT)
        transaction.note_moved([], MOMENT)
    with store.transaction() as transaction:
        assert transaction.archives_to_move(MOMENT, LEASE, 10) == (left,)
        assert transaction.removed_run("moved") == RemovedRun(workflow_id="moved", at=MOMENT, outside=True)
        assert transaction.forget_archives(Instant(MOMENT + 1), 10) == 1


def test_an_archive_that_was_replaced_meanwhile_stays(store: Store) -> None:
    earlier = remove(store, "run", MOMENT)
    later = remove(store, "run", MOMENT + 5)
    with store.transaction() as transaction:
        transaction.note_moved([earlier], MOMENT)
        assert transaction.archives_to_move(MOMENT, LEASE, 10) == (later,)


def test_a_run_that_comes_again_and_is_removed_again_has_its_new_archive(store: Store) -> None:
    first = remove(store, "run", MOMENT)
    with store.transaction() as transaction:
        assert transaction.archives_to_move(MOMENT, LEASE, 10) == (first,)
        transaction.note_moved([first], MOMENT)
    second = remove(store, "run", MOMENT + 5)
    with store.transaction() as transaction:
        found = transaction.removed_run("run")
        assert transaction.archives_moved(Instant(MOMENT + 100), 10) == ()
        assert transaction.archives_to_move(MOMENT, LEASE, 10) == (second,)
    assert found is not None
    assert found.document == {"of": "run", "removed": MOMENT + 5}


def test_archives_outside_are_found_by_their_age_until_they_are_forgotten(store: Store) -> None:
    archives = [remove(store, identity, MOMENT + number) for number, identity in enumerate("abc")]
    with store.transaction() as transaction:
        transaction.note_moved(archives, after(MOMENT, LEASE))
    with store.transaction() as transaction:
        assert transaction.forget_archives(Instant(MOMENT + 10), 10) == 0
        assert transaction.archives_moved(Instant(MOMENT + 2), 10) == tuple(archives[:2])
        assert transaction.archives_moved(Instant(MOMENT + 2), 1) == (archives[0],)
        transaction.forget_moved(archives[:2])
    with store.transaction() as transaction:
        assert transaction.archives_moved(Instant(MOMENT + 10), 10) == (archives[2],)
        assert transaction.removed_run("a") == RemovedRun(workflow_id="a", at=MOMENT)
