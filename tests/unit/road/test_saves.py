"""What a save writes: only what has changed, however large the rest is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.transaction import SqlStore
from engine.testing.harness import Harness

MEGABYTE = 1024 * 1024


def step(ref: str, kind: str = "SIMPLE", **fields: object) -> dict[str, object]:
    return {"name": ref, "taskReferenceName": ref, "type": kind, **fields}


@pytest.fixture
def written(tmp_path: Path) -> Iterator[tuple[Harness, Callable[[], int]]]:
    """Return an engine on a database, and what tells how many bytes were written since it was last asked."""
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    migrate(url)
    database = open_database(url, 1)
    sizes: list[int] = []

    def note(_1: object, _2: object, _statement: str, parameters: object, *_: object) -> None:
        sizes.append(len(repr(parameters)))

    def taken() -> int:
        total = sum(sizes)
        sizes.clear()
        return total

    event.listen(database, "before_cursor_execute", note)
    harness = Harness()
    harness.store = SqlStore(database)
    harness.restart_decider()
    yield harness, taken
    harness.store.close()


def test_an_input_of_a_megabyte_is_written_when_the_run_begins_and_never_again(written) -> None:
    harness, taken = written
    harness.register({"name": "long", "tasks": [step(ref) for ref in "abcdef"]})
    run = harness.start("long", {"text": "x" * MEGABYTE})
    assert taken() > MEGABYTE

    for ref in "abcdef":
        harness.work({ref: lambda _: {}})

    assert harness.run(run).status == "COMPLETED"
    assert harness.run(run).input == {"text": "x" * MEGABYTE}
    assert taken() < MEGABYTE / 10


def test_a_tasks_own_input_is_not_written_again_with_its_result(written) -> None:
    harness, taken = written
    harness.register({"name": "one", "tasks": [step("a", inputParameters={"text": "${workflow.input.text}"})]})
    run = harness.start("one", {"text": "x" * MEGABYTE})
    taken()

    harness.work({"a": lambda _: {"done": True}})

    assert harness.task(run, "a").input == {"text": "x" * MEGABYTE}
    assert harness.task(run, "a").output == {"done": True}
    assert taken() < MEGABYTE / 10
