"""Payloads come back as they went in, whatever people put there; texts lose only what no database can hold."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.model.payload import Json
from engine.store.port import Save, Store
from tests.conformance.store.runs import a_run, a_task, change, create, load, save

ODD = {
    "zero": "a\0b",
    "zero as a key \0": 1,
    "half a character": "\ud800",
    "quotes": 'a "quoted" \\ back\\slash, {brace} and\ttab\r\n',
    "looks like null": "NULL",
    "percent": "%s %(name)s %%",
    "question": "? :name",
    "languages": "žluťoučký 漢字 🎼 \u202e",
    "large": 2**70,
    "small": 1e-300,
    "nothing": None,
    "empty": [{}, [], ""],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_payloads_survive_being_created_and_changed(store: Store, name: str) -> None:
    payload = {name: ODD[name]}
    create(store, a_run(input=payload, variables=payload), tasks=[a_task(input=payload)])
    assert load(store).workflow.input == payload
    run, task = change(a_run(input=payload), output=payload), a_task(input=payload, output=payload)
    save(store, Save(workflow=run, loaded_version=1, updated=[task]))
    assert load(store).workflow.output == payload
    assert load(store).tasks[0].output == payload


def test_keys_keep_their_order(store: Store) -> None:
    payload: Json = {"z": 1, "a": {"y": 1, "b": 2, "10": 3, "9": 4}, "m": 2}
    create(store, a_run(input=payload))
    loaded = load(store).workflow.input
    assert list(loaded) == ["z", "a", "m"]
    assert list(loaded["a"]) == ["y", "b", "10", "9"]


def test_five_megabytes_are_kept(store: Store) -> None:
    payload = {"text": "é\\" * 2_500_000}
    create(store, a_run(input=payload), tasks=[a_task(input=payload)])
    save(store, Save(workflow=change(a_run(), output=payload), loaded_version=1, updated=[a_task(output=payload)]))
    assert load(store).workflow.output == payload
    assert load(store).tasks[0].output == payload


def test_texts_lose_only_what_no_database_can_hold(store: Store) -> None:
    odd = 'a\0b\ud800 "é" \\ {NULL}'
    kept = 'a\ufffdb\ufffd "é" \\ {NULL}'
    create(store, a_run(reason=odd, correlation_id=odd), tasks=[a_task(ref=odd, worker=odd, reason="NULL")])
    assert load(store).workflow.reason == kept
    assert load(store).workflow.correlation_id == kept
    assert load(store).tasks[0].ref == kept
    assert load(store).tasks[0].worker == kept
    assert load(store).tasks[0].reason == "NULL"


def test_a_run_read_without_its_payloads_keeps_them_when_it_is_saved(store: Store) -> None:
    payload = {"text": "much"}
    create(store, a_run(input=payload, variables=payload), tasks=[a_task(input=payload, output=payload)])
    with store.transaction() as transaction:
        rows = transaction.load([a_run().id], payloads=False)[a_run().id]
        changed = change(rows.workflow, reason="too much to read")
        task = replace(rows.tasks[0], reason="too much to read")
        written = transaction.save(
            [
                Save(
                    workflow=changed,
                    loaded_version=rows.workflow.version_no,
                    updated=[task],
                    before=rows.workflow,
                    tasks_before={task.seq: rows.tasks[0]},
                )
            ]
        )
    assert written == {a_run().id}
    kept = load(store)
    assert (kept.workflow.input, kept.workflow.variables, kept.workflow.reason) == (payload, payload, changed.reason)
    assert (kept.tasks[0].input, kept.tasks[0].output, kept.tasks[0].reason) == (payload, payload, changed.reason)


def test_how_large_the_payloads_of_a_run_are_is_told_with_it(store: Store) -> None:
    payload = {"text": "x" * 1_000}
    create(store, a_run(input=payload), a_run("other"), tasks=[a_task(input=payload), a_task(seq=2, output=payload)])
    told = {"run": load(store).payload_bytes, "other": load(store, "other").payload_bytes}
    # The store in memory holds no text that it could measure.
    assert told in ({"run": 3 * len('{"text":""}') + 3_000, "other": 0}, {"run": 0, "other": 0})
