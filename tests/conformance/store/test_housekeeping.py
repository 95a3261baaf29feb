"""Queues, settings and the audit trail are remembered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from engine.clock import Instant
from engine.model.request import Outcome, Request
from engine.store.port import LoggedRequest, Store
from tests.conformance.store.runs import MOMENT


def test_queues_are_remembered_once(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.note_queues(["ship", "pack"])
        transaction.note_queues({"pack", "eu:pack"})
        transaction.note_queues([])
        assert transaction.queue_names() == ("eu:pack", "pack", "ship")
        assert transaction.queues_seen_empty() == {}


def test_the_last_time_that_a_queue_was_seen_empty_counts(store: Store) -> None:
    later, earlier = Instant(MOMENT + 5), MOMENT
    with store.transaction() as transaction:
        transaction.note_queues(["ship", "pack"])
        transaction.saw_empty({"pack": earlier, "unheard of": earlier})
        transaction.saw_empty({"pack": later})
        transaction.saw_empty({"pack": earlier})
        transaction.saw_empty({})
        transaction.note_queues(["pack"])
        assert transaction.queues_seen_empty() == {"pack": later, "unheard of": earlier}
        assert transaction.queue_names() == ("pack", "ship", "unheard of")


def test_a_setting_keeps_its_first_value(store: Store) -> None:
    with store.transaction() as transaction:
        assert transaction.setting("partitions") is None
        assert transaction.put_setting("partitions", "16") == "16"
        assert transaction.put_setting("partitions", "32") == "16"
        assert transaction.setting("partitions") == "16"


def test_everybody_who_sets_at_the_same_time_gets_the_one_value_that_holds(store: Store) -> None:
    together = Barrier(4)

    def put(value: str) -> str:
        together.wait()
        with store.transaction() as transaction:
            return transaction.put_setting("partitions", value)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(put, ["1", "2", "3", "4"]))) == 1


def asked(run: str, verb: str, at: int, **fields: object) -> LoggedRequest:
    request = Request(event_id=f"{run}-{verb}", workflow_id=run, verb=verb, by="ann", **fields)  # type: ignore[arg-type]
    return LoggedRequest(request, Outcome(granted=True), Instant(at))


def test_the_audit_trail_of_a_run_comes_oldest_first(store: Store) -> None:
    lines = [
        asked("a", "pause", MOMENT, arguments={"why": "\0", "z": 1, "a": 2}),
        asked("b", "retry", MOMENT + 1),
    ]
    refused = LoggedRequest(
        Request(event_id="e", workflow_id="a", verb="retry"),
        Outcome(granted=False, code=409, message="RUNNING", result={"status": "RUNNING"}),
        Instant(MOMENT + 2),
    )
    with store.transaction() as transaction:
        transaction.log_requests(lines)
        transaction.log_requests([refused])
        transaction.log_requests([])
    with store.transaction() as transaction:
        assert transaction.requests("a") == (lines[0], refused)
        assert transaction.requests("nobody") == ()


def test_the_audit_trail_does_not_keep_where_the_answer_went(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.log_requests([asked("a", "pause", MOMENT, reply_to="queue", reply_id="1")])
        assert transaction.requests("a") == (asked("a", "pause", MOMENT),)
