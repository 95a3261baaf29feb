"""The archivist carries archives out of the database, loses none on the way, and clears out old ones."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api.history import requests_json
from engine.api.runs import run_json
from engine.config import Settings
from engine.errors import NotFound, PayloadLost, StoreUnavailable
from engine.services.archivist import Archivist, archivist_beside
from engine.services.cleaner import Cleaner
from engine.services.stopping import Stop
from engine.store import open_store
from engine.store.archive_storage import ArchiveStorage
from engine.store.migrate import migrate
from engine.store.outside import Outside
from engine.testing.harness import Harness
from tests.acceptance.processes import until

DAY = 86_400.0
NOOP = {"name": "n", "taskReferenceName": "n", "type": "NOOP"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
def storage(folder: Path) -> ArchiveStorage:
    return ArchiveStorage(f"file://{folder}")


@pytest.fixture
def harness(tmp_path: Path, storage: ArchiveStorage) -> Iterator[Harness]:
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    migrate(url)
    harness = Harness(store=open_store(url, outside=Outside(archives=storage)))
    harness.register({"name": "short", "tasks": [NOOP]})
    yield harness
    harness.close()


def archivist(harness: Harness, storage: ArchiveStorage, stop: Stop | None = None, **settings: float) -> Archivist:
    return Archivist(harness.store, storage, Settings(**settings), stop or Stop(), clock=harness.clock)


def removed(harness: Harness, **start: str) -> str:
    run = harness.start("short", {"n": 1}, **start)
    assert harness.request(run, "remove").granted
    return run


def in_rows(harness: Harness) -> int:
    with harness.store.transaction() as transaction:
        return transaction.archives_in_rows(100)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_archive_leaves_the_database_and_is_read_by_its_id_as_before(
    harness: Harness, storage: ArchiveStorage, folder: Path
) -> None:
    run = removed(harness)
    before = run_json(harness.store, run, include_tasks=True), requests_json(harness.store, run)
    assert archivist(harness, storage).look() == 1
    assert in_rows(harness) == 0
    assert (run_json(harness.store, run, include_tasks=True), requests_json(harness.store, run)) == before
    [file] = files(folder)
    assert file.name == f"{run}.json.gz"
    assert json.loads(gzip.decompress(file.read_bytes()))["input"] == {"n": 1}
    assert archivist(harness, storage).look() == 0


def test_while_the_storage_is_away_archives_stay_in_their_rows_and_can_be_read(
    harness: Harness, storage: ArchiveStorage, folder: Path
) -> None:
    runs = [removed(harness) for _ in range(3)]
    folder.write_text("a file is where the folder should be")
    at_work = archivist(harness, storage)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="archive storage"):
            at_work.look()
    assert in_rows(harness) == 3
    assert run_json(harness.store, runs[0], include_tasks=False)["status"] == "COMPLETED"
    folder.unlink()
    assert at_work.look() == 3
    assert (in_rows(harness), len(files(folder))) == (0, 3)


def test_whoever_dies_between_writing_and_emptying_the_row_leaves_a_copy_that_is_written_over(
    harness: Harness, storage: ArchiveStorage, folder: Path
) -> None:
    run = removed(harness)
    with harness.store.transaction() as transaction:
        transaction.archives_to_move(harness.clock.now(), 300, 10)
        kept = transaction.removed_run(run)
    assert kept is not None
    assert kept.document is not None
    storage.put(run, kept.document)
    assert archivist(harness, storage).look() == 0, "somebody else has it in hand"
    harness.clock.advance(301)
    assert archivist(harness, storage).look() == 1
    assert (in_rows(harness), len(files(folder))) == (0, 1)


def test_a_storage_that_does_not_give_back_what_it_took_empties_no_row(
    harness: Harness, storage: ArchiveStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed(harness)
    monkeypatch.setattr(storage._files, "write", lambda path, content: None)
    with pytest.raises(StoreUnavailable, match="does not give it back"):
        archivist(harness, storage).look()
    assert in_rows(harness) == 1


@pytest.mark.parametrize("identity", ["a..b", "UPPER", "x" * 128, "a:b~c@d+e=f"])
def test_every_id_is_a_file_inside_the_folder(
    harness: Harness, storage: ArchiveStorage, folder: Path, identity: str
) -> None:
    run = removed(harness, workflow_id=identity)
    archivist(harness, storage).look()
    assert run_json(harness.store, run, include_tasks=True)["workflowId"] == identity
    assert [path.parent.parent for path in files(folder)] == [folder / "archives"]


def test_old_archives_outside_are_deleted_in_their_turn(
    harness: Harness, storage: ArchiveStorage, folder: Path
) -> None:
    old = removed(harness)
    archivist(harness, storage).look()
    harness.clock.advance(DAY)
    young = removed(harness)
    archivist(harness, storage, archives_kept_seconds=DAY / 2).look()
    assert [file.name for file in files(folder)] == [f"{young}.json.gz"]
    with pytest.raises(NotFound, match="No workflow"):
        run_json(harness.store, old, include_tasks=True)
    with harness.store.transaction() as transaction:
        assert transaction.removed_run(old) is not None, "that it was removed stays known"


def test_an_archive_that_is_lost_or_spoiled_is_said_to_be(
    harness: Harness, storage: ArchiveStorage, folder: Path
) -> None:
    run = removed(harness)
    archivist(harness, storage).look()
    [file] = files(folder)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(PayloadLost, match="cannot be read"):
        run_json(harness.store, run, include_tasks=True)
    file.unlink()
    with pytest.raises(PayloadLost, match="is lost"):
        run_json(harness.store, run, include_tasks=True)


def test_without_the_storage_a_removed_run_says_which_setting_is_missing(
    harness: Harness, storage: ArchiveStorage, tmp_path: Path
) -> None:
    run = removed(harness)
    archivist(harness, storage).look()
    bare = open_store(f"sqlite:///{tmp_path / 'baton.db'}")
    with pytest.raises(PayloadLost, match="BATON_ARCHIVE_URL"):
        run_json(bare, run, include_tasks=True)
    bare.close()


def test_no_more_runs_are_removed_while_the_storage_is_behind(
    harness: Harness, storage: ArchiveStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.services.cleaner._MOST_WAITING", 1)
    removed(harness)
    ended = harness.start("short")
    harness.clock.advance(DAY)
    settings = Settings(ended_runs_kept_seconds=1, archive_url="memory://archives")
    cleaner = Cleaner(harness.store, harness.broker.connect(), harness.clock, settings, 1)
    cleaner.look()
    harness.carry()
    assert run_json(harness.store, ended, include_tasks=False).get("archived") is None
    archivist(harness, storage).look()
    harness.clock.advance(60)
    cleaner.look()
    harness.carry()
    assert run_json(harness.store, ended, include_tasks=False)["archived"] is True


def test_it_works_until_told_to_stop_and_waits_out_what_is_away(
    harness: Harness, storage: ArchiveStorage, folder: Path
) -> None:
    removed(harness)
    folder.write_text("a file is where the folder should be")

    class Pauses(Stop):
        def sleep(self, seconds: float) -> None:
            if folder.is_file():
                folder.unlink()
            else:
                self.now()

    archivist(harness, storage, Pauses()).run()
    assert (in_rows(harness), len(files(folder))) == (0, 1)


def test_beside_a_process_it_works_and_gives_no_sign_of_life_in_its_place(harness: Harness, folder: Path) -> None:
    removed(harness)
    asked_by: set[str] = set()

    class Watched(Stop):
        def wanted(self) -> bool:
            asked_by.add(threading.current_thread().name)
            return super().wanted()

    with archivist_beside(harness.store, Settings(archive_url=f"file://{folder}"), Watched()):
        until("the archive has left the database", lambda: in_rows(harness) == 0)
    assert len(files(folder)) == 1
    assert asked_by == set()
