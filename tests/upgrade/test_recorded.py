"""What earlier versions wrote is understood: their rows, their messages, the statements of those that still run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy
from psycopg import Cursor

from engine.clock import Instant
from engine.decider.snapshot import hash_of
from engine.decider.validate import check_workflow
from engine.model.definition import TaskDef, WorkflowDef
from engine.store import open_store
from engine.store.database import open_database
from engine.store.migrate import migrate
from engine.store.port import WorkflowQuery
from engine.testing.harness import Harness
from engine.wire.celery_message import decode_result
from engine.wire.inbound import decode
from engine.wire.message import START_QUEUE, Delivery, Message
from tests.upgrade.recorded import VERSIONS, messages, put_back, read, tables
from tests.upgrade.story import finish

versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


@versions
def test_every_row_is_read_as_it_was_written(version: Path, url: str, tmp_path: Path) -> None:
    put_back(version, url, tmp_path)
    migrate(url)
    store = open_store(url)
    with store.transaction() as transaction:
        _, found = transaction.find(WorkflowQuery(size=1_000))
        rows = transaction.load([workflow.id for workflow in found])
        definitions = transaction.workflow_defs()
        tasks = transaction.task_defs()
        snapshots = transaction.snapshots({workflow.definition_hash for workflow in found})
        trail = [line for workflow in found for line in transaction.requests(workflow.id)]
    store.close()
    written = tables(version)
    assert_same(written["workflow"], {row.workflow.id: row.workflow for row in rows.values()}, "id")
    assert_same(written["task"], {task.id: task for row in rows.values() for task in row.tasks}, None)
    assert len(definitions) == len(written["workflow_definition"])
    assert set(tasks) == {row["name"] for row in written["task_definition"]}
    assert snapshots.keys() == {row["hash"] for row in written["definition"]} | set()
    assert len(trail) == len(written["request_log"])


def assert_same(rows: list[dict[str, Any]], found: dict[str, Any], key: str | None) -> None:
    """Assert that every column that is no payload has the value that it had."""
    assert len(rows) == len(found)
    for row in rows:
        record = found[row[key] if key else f"{row['workflow_id']}.{row['seq']}"]
        for column, value in row.items():
            if isinstance(value, str) and value.startswith(("{", "[", '"')):
                assert json.loads(value) == json.loads(json.dumps(getattr(record, column))), column
            elif value is not None and column != "rung_at":
                assert getattr(record, column) == value, column


@versions
@pytest.mark.parametrize("redelivered", [False, True], ids=["acked", "redelivered"])
def test_runs_begun_by_an_earlier_version_end_as_they_would_have(
    version: Path, redelivered: bool, url: str, tmp_path: Path
) -> None:
    # Given the rows of a version that has stopped in the middle, and what stood in its queues then
    put_back(version, url, tmp_path)
    migrate(url)
    harness = Harness()
    harness.clock.set(Instant(read(version, "database")["now"]))
    harness.store = open_store(url)  # type: ignore[assignment]
    harness.restart_decider()
    before = messages(version, "handled") if redelivered else []
    # When this version takes over
    harness.publish(*before, *messages(version, "waiting"))
    ends = finish(harness)
    harness.store.close()
    # Then everything ends as it did there
    assert ends == read(version, "ends")
    assert harness.executor.counts.given_up == harness.executor.counts.buried == 0


@versions
def test_every_message_is_read(version: Path) -> None:
    every = [message for part in ("handled", "waiting", "examples") for message in messages(version, part)]
    kinds = set()
    for message in every:
        kinds.add(message.headers.get("baton"))
        if message.queue == START_QUEUE or message.queue.startswith("baton.events."):
            decode(Delivery(message=message, queue=message.queue), lambda: "fresh")
    assert kinds >= {None, "start", "request", "wake", "child_started", "child_ended"}


@versions
def test_the_answer_to_a_task_handed_out_by_an_earlier_version_finds_its_task(version: Path) -> None:
    out = [message for message in messages(version, "examples") if message.headers.get("lang") == "py"]
    assert out
    for message in out:
        body = json.dumps({"task_id": message.headers["id"], "status": "SUCCESS", "result": 1}).encode()
        answer = Message(queue=str(message.reply_to), body=body)
        result = decode_result(Delivery(message=answer, queue=answer.queue))
        assert result.workflow_id == message.correlation_id


@versions
@pytest.mark.servers
def test_processes_of_an_earlier_version_work_on_the_tables_of_this_one(version: Path, postgres_url: str) -> None:
    # Given the tables as the first process of this version makes them when it starts
    migrate(postgres_url)
    # When a process of the earlier version says what it said
    recorded = read(version, "statements")
    database = open_database(postgres_url, 1)
    with database.begin() as connection:
        # Placeholders were recorded as psycopg's own cursor takes them.
        cursor = Cursor(cast(Any, connection.connection.driver_connection))
        for number, parameters, many in recorded["runs"]:
            (cursor.executemany if many else cursor.execute)(recorded["texts"][number], parameters or None)
    # Then it finds what it has written, as on its own tables
    with database.connect() as connection:
        for name, rows in tables(version).items():
            columns = [sqlalchemy.literal_column(f"{column}").label(column) for column in rows[0]]
            found = connection.execute(sqlalchemy.select(*columns).select_from(sqlalchemy.table(name)))
            assert as_set(map(dict, found.mappings())) == as_set(rows), name
    database.dispose()


def as_set(rows: Any) -> set[str]:
    """Return rows so that they can be compared, whether the driver reads JSON or not."""
    return {json.dumps({name: parsed(value) for name, value in row.items()}, sort_keys=True) for row in rows}


def parsed(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("{", "[", '"')):
        return json.loads(value)
    return value


#: Definitions and the hashes that they had in the first version that hashed them as it is done now.
HASHES = json.loads((Path(__file__).parent / "hashes.json").read_text())


@pytest.mark.parametrize("name", HASHES)
def test_the_hash_of_a_definition_stays_what_it_was(name: str) -> None:
    assert hash_of(check_workflow(HASHES[name]["definition"])) == HASHES[name]["hash"]


def test_a_default_stays_what_it_was() -> None:
    for kind, document in ((WorkflowDef, {"name": "a", "tasks": [{}]}), (TaskDef, {"name": "a"})):
        said = DEFAULTS[kind.__name__]
        found = kind.model_validate(document).to_json()
        assert {name: found[name] for name in said} == said


DEFAULTS: dict[str, Any] = json.loads((Path(__file__).parent / "defaults.json").read_text())
