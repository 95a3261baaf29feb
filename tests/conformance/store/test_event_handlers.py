"""Event handlers are kept by name, and what they have done is kept once for each handler, event and message."""

from __future__ import annotations

import pytest

from engine.clock import after
from engine.model.event_handler import EventHandler
from engine.store.event_port import COMPLETED, FAILED, EventExecution, EventQuery
from engine.store.port import Store
from tests.conformance.store.runs import MOMENT


def handler(name: str, **fields: object) -> EventHandler:
    action = {"action": "start_workflow", "start_workflow": {"name": "ship", "input": {"nothing": None}}}
    return EventHandler.model_validate({"name": name, "event": "amqp_queue:orders", "actions": [action], **fields})


def execution(key: str, *, seconds: float = 0, **fields: object) -> EventExecution:
    facts = {
        "handler": "on-order",
        "event": "amqp_queue:orders",
        "message_id": "m-1",
        "index": 0,
        "action": "start_workflow",
        "status": COMPLETED,
        "output": {"workflowId": "w"},
        "at": after(MOMENT, seconds),
    }
    return EventExecution(key=key, **{**facts, **fields})  # type: ignore[arg-type]


def put(store: Store, each: EventHandler, *, known: bool) -> bool:
    with store.transaction() as transaction:
        return transaction.put_event_handler(each, known=known)


def record(store: Store, *executions: EventExecution) -> None:
    with store.transaction() as transaction:
        transaction.record_event_executions(executions)


def found(store: Store, **query: object) -> list[str]:
    with store.transaction() as transaction:
        return [each.key for each in transaction.event_executions(EventQuery(**query))]  # type: ignore[arg-type]


def test_a_handler_comes_back_as_it_was_stored_and_in_the_order_of_names(store: Store) -> None:
    second, first = handler("b", active=True, condition="$.total > 1"), handler("a")
    assert put(store, second, known=False)
    assert put(store, first, known=False)
    with store.transaction() as transaction:
        assert transaction.event_handlers() == (first, second)


def test_a_new_handler_takes_no_name_that_is_taken_and_a_known_one_is_replaced(store: Store) -> None:
    assert not put(store, handler("a"), known=True)
    assert put(store, handler("a"), known=False)
    assert not put(store, handler("a", active=True), known=False)
    assert put(store, handler("a", description="later"), known=True)
    with store.transaction() as transaction:
        assert [each.description for each in transaction.event_handlers()] == ["later"]
        assert transaction.drop_event_handler("a")
        assert not transaction.drop_event_handler("a")
        assert transaction.event_handlers() == ()


def test_every_change_of_handlers_changes_the_mark(store: Store) -> None:
    marks = []
    with store.transaction() as transaction:
        marks.append(transaction.event_handlers_version())
    for change in (lambda tx: tx.put_event_handler(handler("a"), known=False), lambda tx: tx.drop_event_handler("a")):
        with store.transaction() as transaction:
            change(transaction)
            marks.append(transaction.event_handlers_version())
    assert len(set(marks)) == 3


def test_an_execution_is_kept_once_and_as_it_was_first(store: Store) -> None:
    first = execution("k1", output={"workflowId": "w", "nothing": None})
    record(store, first)
    record(store, execution("k1", status=FAILED), execution("k2", action=None))
    with store.transaction() as transaction:
        assert transaction.event_executions_known(["k1", "k3"]) == {"k1"}
        assert transaction.event_executions_known([]) == set()
        kept = {each.key: each for each in transaction.event_executions(EventQuery())}
    assert kept["k1"] == first
    assert (kept["k2"].action, kept["k2"].id) == (None, "m-1_0")


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({}, ["c", "b", "a"]),
        ({"handler": "other"}, ["b"]),
        ({"event": "redis:x"}, ["a"]),
        ({"status": FAILED}, ["c"]),
        ({"start": 1, "size": 1}, ["b"]),
        ({"handler": "nobody"}, []),
    ],
)
def test_executions_are_found_newest_first(store: Store, query: dict[str, object], keys: list[str]) -> None:
    record(
        store,
        execution("a", event="redis:x"),
        execution("b", seconds=1, handler="other"),
        execution("c", seconds=2, status=FAILED),
    )
    assert found(store, **query) == keys


def test_old_executions_are_forgotten(store: Store) -> None:
    record(store, execution("a"), execution("b", seconds=10))
    with store.transaction() as transaction:
        assert transaction.forget_event_executions(after(MOMENT, 10)) == 1
        assert transaction.forget_event_executions(after(MOMENT, 10)) == 0
    assert found(store) == ["b"]
