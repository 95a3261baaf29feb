"""Webhooks are kept as they were written, and tasks that wait for an event are found by what it has."""

from __future__ import annotations

from engine.model.webhook import Webhook
from engine.store.port import Store
from engine.store.webhook_port import Shape, Waiting, WaitingKey

HOOK = Webhook(id="one", name="b", verifier="STRIPE", receiver_workflow_names_to_versions={"order": None, "bill": 2})
ORDER = Shape(workflow="order", version=1, paths=("$.id", "$['type']"))
ONE, TWO = "1" * 64, "2" * 64


def wait(store: Store, *waiting: Waiting) -> None:
    with store.transaction() as transaction:
        transaction.await_events(waiting)


def task(run: str, seq: int, digest: str, shape: Shape = ORDER) -> Waiting:
    return Waiting(workflow_id=run, seq=seq, digest=digest, shape=shape)


def found(store: Store, *digests: str, after: WaitingKey = ("", 0), limit: int = 10) -> list[WaitingKey]:
    with store.transaction() as transaction:
        return list(transaction.waiting_for(digests, after, limit))


def test_a_webhook_is_stored_once_and_replaced_only_when_it_is_known(store: Store) -> None:
    with store.transaction() as transaction:
        assert not transaction.put_webhook(HOOK, known=True)
        assert transaction.put_webhook(HOOK, known=False)
        assert not transaction.put_webhook(HOOK, known=False)
        assert transaction.put_webhook(HOOK.model_copy(update={"verifier": "SLACK_BASED"}), known=True)
        assert transaction.put_webhook(HOOK.model_copy(update={"id": "two", "name": "a"}), known=False)
    with store.transaction() as transaction:
        assert transaction.webhook("one") == HOOK.model_copy(update={"verifier": "SLACK_BASED"})
        assert [each.id for each in transaction.webhooks()] == ["two", "one"]
        assert transaction.drop_webhook("one")
        assert not transaction.drop_webhook("one")
        assert transaction.webhook("one") is None


def test_waiting_tasks_are_found_in_order_page_by_page(store: Store) -> None:
    wait(store, task("b", 2, ONE), task("a", 10, ONE), task("a", 9, ONE), task("c", 1, TWO))
    assert found(store, ONE) == [("a", 9), ("a", 10), ("b", 2)]
    assert found(store, ONE, limit=2) == [("a", 9), ("a", 10)]
    assert found(store, ONE, after=("a", 10)) == [("b", 2)]
    assert found(store, ONE, TWO, after=("b", 1)) == [("b", 2), ("c", 1)]
    assert found(store, "3" * 64) == []


def test_a_task_that_has_ended_waits_no_more(store: Store) -> None:
    wait(store, task("a", 1, ONE), task("a", 2, ONE))
    with store.transaction() as transaction:
        transaction.end_waiting([("a", 1), ("never", 7)])
    assert found(store, ONE) == [("a", 2)]


def test_a_task_that_waits_again_waits_for_what_it_said_last(store: Store) -> None:
    wait(store, task("a", 1, ONE))
    wait(store, task("a", 1, TWO))
    assert (found(store, ONE), found(store, TWO)) == ([], [("a", 1)])


def test_where_tasks_look_is_known_by_their_workflow(store: Store) -> None:
    newer = Shape(workflow="order", version=2, paths=("$.id",))
    other = Shape(workflow="bill", version=1, paths=("$.id",))
    wait(store, task("a", 1, ONE), task("b", 1, TWO), task("c", 1, ONE, newer), task("d", 1, ONE, other))
    with store.transaction() as transaction:
        assert set(transaction.shapes(["order"])) == {ORDER, newer}
        assert set(transaction.shapes(["bill", "nobody"])) == {other}
        assert transaction.shapes(["nobody"]) == ()
