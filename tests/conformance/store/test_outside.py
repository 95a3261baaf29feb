"""Large payloads are kept outside of their rows, in a folder here, and come back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from engine.errors import BadConfiguration, NotFound, PayloadLost, StoreUnavailable
from engine.model.payload import StoredOutside
from engine.store import open_store
from engine.store.database import open_database
from engine.store.outside import Outside
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Save, Store, WorkflowQuery
from tests.conformance.store.runs import a_run, a_task, change, create, load, save

LARGE = {"text": "x" * 2_000}
SMALL = {"text": "x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "payloads"


@pytest.fixture
def storage(folder: Path) -> PayloadStorage:
    return PayloadStorage(f"file://{folder}")


@pytest.fixture
def store(migrated_sqlite: str, storage: PayloadStorage) -> Iterator[Store]:
    opened = open_store(migrated_sqlite, outside=Outside(storage, 1_000))
    yield opened
    opened.close()


def column(url: str, statement: str) -> list[str]:
    database = open_database(url, 1)
    with database.begin() as connection:
        found = [str(row[0]) for row in connection.execute(text(statement))]
    database.dispose()
    return found


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_only_what_is_large_leaves_its_row(store: Store, migrated_sqlite: str, folder: Path) -> None:
    create(store, a_run(input=LARGE, output=SMALL), tasks=[a_task(input=SMALL, output=LARGE)])
    assert column(migrated_sqlite, "SELECT output FROM workflow") == ['{"text":"x"}']
    assert "xxx" not in "".join(column(migrated_sqlite, "SELECT input FROM workflow UNION SELECT output FROM task"))
    # Equal payloads of one run are one file.
    assert len(files(folder)) == 1
    kept = load(store)
    assert (kept.workflow.input, kept.workflow.output) == (LARGE, SMALL)
    assert (kept.tasks[0].input, kept.tasks[0].output) == (SMALL, LARGE)
    assert isinstance(kept.tasks[0].output, StoredOutside)


def test_what_has_not_changed_is_not_stored_again(store: Store, folder: Path) -> None:
    create(store, a_run(input=LARGE), tasks=[a_task(output=LARGE)])
    kept = load(store)
    for file in files(folder):
        file.unlink()
    save(
        store,
        Save(
            workflow=change(kept.workflow, reason="moved on"),
            loaded_version=1,
            updated=[replace(kept.tasks[0], reason="moved on")],
            before=kept.workflow,
            tasks_before={1: kept.tasks[0]},
        ),
    )
    assert files(folder) == []


def test_a_payload_that_moves_to_another_row_of_its_run_keeps_its_place(store: Store, folder: Path) -> None:
    create(store, a_run(input=LARGE))
    kept = load(store).workflow
    save(store, Save(workflow=change(kept, output=kept.input), loaded_version=1, before=kept))
    assert load(store).workflow.output == LARGE
    assert len(files(folder)) == 1


def test_a_list_of_runs_tells_where_payloads_are_and_fetches_none(store: Store) -> None:
    create(store, a_run(input=LARGE))
    with store.transaction() as transaction:
        _, [found] = transaction.find(WorkflowQuery())
    assert isinstance(found.input, StoredOutside)
    assert (dict(found.input), found.input.size) == ({}, len('{"text":""}') + 2_000)


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text('{"text":"forged"}')])
def test_a_run_whose_payload_is_gone_or_forged_says_which(store: Store, folder: Path, harm) -> None:
    create(store, a_run(), a_run("other"), tasks=[a_task(output=LARGE)])
    harm(files(folder)[0])
    with store.transaction() as transaction:
        found = transaction.load(["run", "other"])
    assert "The output of task run.1 (pack_1) is lost" in str(found["run"].unreadable)
    assert found["other"].unreadable is None


def test_without_the_storage_a_run_says_which_setting_is_missing(store: Store, migrated_sqlite: str) -> None:
    create(store, a_run(input=LARGE))
    bare = open_store(migrated_sqlite)
    assert "BATON_PAYLOAD_STORAGE_URL" in str(load(bare).unreadable)
    bare.close()


def test_a_storage_that_is_away_is_waited_for(store: Store, folder: Path) -> None:
    folder.write_text("a file is where the folder should be")
    with pytest.raises(StoreUnavailable, match="payload storage"):
        create(store, a_run(input=LARGE))
    folder.unlink()
    assert create(store, a_run(input=LARGE)) == {"run"}


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "runs/../../x.json", "uploads/..", "", "runs/aa\n"])
def test_no_path_leads_out_of_the_storage(storage: PayloadStorage, path: str) -> None:
    with pytest.raises(PayloadLost):
        storage.get(path)
    with pytest.raises(NotFound):
        storage.receive(path, b"{}")


def test_what_a_run_has_stored_cannot_be_written_over_from_outside(storage: PayloadStorage) -> None:
    path = storage.put("run", b"{}")
    with pytest.raises(NotFound):
        storage.receive(path, b'{"other": 1}')
    assert storage.get(path) == b"{}"


def test_a_run_takes_its_payloads_with_it(storage: PayloadStorage) -> None:
    mine, other = storage.put("run", b"{}"), storage.put("other", b"{}")
    storage.remove("run")
    storage.remove("run that was never there")
    with pytest.raises(PayloadLost):
        storage.get(mine)
    assert storage.get(other) == b"{}"


@pytest.mark.parametrize("url", ["nosuchprotocol://x/y", "gcs://bucket/folder"])
def test_a_storage_that_cannot_be_opened_says_what_to_install(url: str) -> None:
    with pytest.raises(BadConfiguration, match=r"baton-engine\[payloads\]"):
        PayloadStorage(url)
