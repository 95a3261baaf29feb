"""What a batch asks of the database, counted: one transaction, and three rows for each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.transaction import SqlStore
from engine.testing.harness import Harness, result_message
from engine.wire.message import Delivery, Message

#: A step writes the run's own row, the row of the task that has ended, and that of the next one.
ROWS_OF_A_STEP = 3

#: The versions of the rows are read, and locked where the database can do that; then each kind of row is written.
STATEMENTS_OF_A_BATCH = 4


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Harness, Counter[str]]]:
    """Return an engine on a database, and what is counted of it."""
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    migrate(url)
    database = open_database(url, 1)
    told: Counter[str] = Counter()

    def note(_connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            told["statements"] += 1
            told["rows"] += max(0, cursor.rowcount)
            told["characters"] += len(str(parameters))

    event.listen(database, "after_cursor_execute", note)
    event.listen(database, "commit", lambda _: told.update(transactions=1))
    harness = Harness()
    harness.store = SqlStore(database)
    harness.restart_decider()
    yield harness, told
    harness.store.close()


def done(delivery: Delivery) -> Message:
    body = {"task_id": delivery.message.headers["id"], "status": "SUCCESS", "result": {"n": 1}, "traceback": None}
    return result_message(delivery, body)


@pytest.mark.parametrize("runs", [1, 20])
def test_a_batch_is_one_transaction_of_as_many_statements_whatever_it_holds(
    told: tuple[Harness, Counter[str]], runs: int
) -> None:
    harness, counted = told
    harness.register({"name": "chain", "tasks": [{"name": "same", "taskReferenceName": f"t{n}"} for n in range(10)]})
    for _ in range(runs):
        harness.start("chain", {})

    def step() -> None:
        counted.clear()
        taken = harness.take("same")
        assert len(taken) == runs
        harness.publish(*(done(each) for each in taken))

    for _ in range(4):
        step()
    del counted["characters"]
    assert counted == {"transactions": 1, "statements": STATEMENTS_OF_A_BATCH, "rows": ROWS_OF_A_STEP * runs}


def test_an_iteration_writes_as_much_however_many_went_before(told: tuple[Harness, Counter[str]]) -> None:
    harness, counted = told
    body = {"name": "same", "taskReferenceName": "b"}
    loop = {"name": "l", "taskReferenceName": "l", "type": "DO_WHILE", "loopCondition": "true", "loopOver": [body]}
    harness.register({"name": "looping", "tasks": [loop]})
    run = harness.start("looping", {})
    written = []
    for _ in range(200):
        counted.clear()
        harness.publish(*(done(each) for each in harness.take("same")))
        written.append(counted["characters"])
    assert written[-1] < written[10] + 100
    counted.clear()
    assert harness.request(run, "terminate").granted
    assert counted["characters"] > 200 * len('"1":{"b":{"n":1}},'), "what it has gathered is written at its end"
