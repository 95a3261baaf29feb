"""What workers say beside results is kept: lines of logs, and who has polled last."""

from __future__ import annotations

from engine.clock import Instant
from engine.store.history_port import RemovedRun
from engine.store.port import Save, Store
from engine.store.worker_port import LastPoll, LogLine
from tests.conformance.store.runs import MOMENT, a_run, a_task, change, create, save


def write(store: Store, *texts: str, seq: int = 1) -> None:
    with store.transaction() as transaction:
        transaction.add_log_lines(
            [LogLine(workflow_id="run", seq=seq, text=text, at=Instant(MOMENT + n)) for n, text in enumerate(texts)]
        )


def read(store: Store, seq: int = 1, **limits: int) -> list[str]:
    with store.transaction() as transaction:
        return [each.text for each in transaction.log_lines("run", seq, **limits)]


def poll(store: Store, task_type: str, worker: str | None, at: int, domain: str = "") -> None:
    with store.transaction() as transaction:
        transaction.note_polls([LastPoll(task_type=task_type, domain=domain, worker=worker, at=Instant(MOMENT + at))])


def polls(store: Store, task_type: str | None = None) -> list[tuple[str, str, str | None, int]]:
    with store.transaction() as transaction:
        found = transaction.last_polls(task_type)
    return [(each.task_type, each.domain, each.worker, each.at - MOMENT) for each in found]


def test_the_lines_of_a_log_come_back_in_order_those_of_each_task_by_themselves(store: Store) -> None:
    write(store, "one\0", "größer", "one\0")
    write(store, "other", seq=2)
    write(store, "last")
    write(store)
    assert [text.replace("\ufffd", "\0") for text in read(store)] == ["one\0", "größer", "one\0", "last"]
    assert read(store, seq=2) == ["other"]
    assert read(store, seq=3) == []
    assert read(store, most=2)[-1] == "last"
    assert len(read(store, most=2)) == 2


def test_who_polls_later_takes_the_place_of_who_has_polled_before(store: Store) -> None:
    poll(store, "b", "w1", 1)
    poll(store, "a", "w1", 1)
    poll(store, "a", "w2", 5, domain="blue")
    poll(store, "a", "w3", 7)
    poll(store, "a", "late news", 6)
    poll(store, "b", None, 8)
    assert polls(store) == [("a", "", "w3", 7), ("a", "blue", "w2", 5), ("b", "", None, 8)]
    assert polls(store, "a") == [("a", "", "w3", 7), ("a", "blue", "w2", 5)]
    assert polls(store, "nobody's") == []


def test_polls_of_long_ago_are_forgotten(store: Store) -> None:
    poll(store, "a", "w1", 1)
    poll(store, "b", "w1", 2)
    with store.transaction() as transaction:
        assert transaction.forget_polls(Instant(MOMENT + 2)) == 1
        assert transaction.forget_polls(Instant(MOMENT + 2)) == 0
    assert polls(store) == [("b", "", "w1", 2)]


def test_a_task_is_known_while_its_run_is_there_and_the_log_goes_with_it(store: Store) -> None:
    run = a_run()
    create(store, run, tasks=[a_task()])
    write(store, "one")
    with store.transaction() as transaction:
        assert transaction.has_task("run", 1)
        assert not transaction.has_task("run", 2)
        assert not transaction.has_task("other", 1)
    removed = RemovedRun(workflow_id="run", at=MOMENT, document=None)
    save(store, Save(workflow=change(run), loaded_version=1, removed=removed))
    assert read(store) == []
