"""The doctor on the storages for payloads and archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import Settings
from engine.services.storage_checkup import examine_storages

BOTH = pytest.mark.parametrize(
    ("setting", "name"), [("payload_storage_url", "payload storage"), ("archive_url", "archive storage")]
)


def states(**settings: str) -> list[tuple[str, str]]:
    return [(each.state, each.what) for each in examine_storages(Settings(**settings))]


def test_nothing_is_said_where_everything_stays_in_the_database() -> None:
    assert states() == []


@BOTH
def test_a_storage_that_works_is_left_as_it_was(tmp_path: Path, setting: str, name: str) -> None:
    assert [state for state, _ in states(**{setting: f"file://{tmp_path}"})] == ["ok"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@BOTH
@pytest.mark.parametrize("kind", ["a file in its place", "a protocol without its library"])
def test_a_storage_that_does_not_work_is_a_fault_with_the_reason(
    tmp_path: Path, kind: str, setting: str, name: str
) -> None:
    (tmp_path / "taken").write_text("")
    url = f"file://{tmp_path / 'taken'}" if "file" in kind else "gcs://bucket/folder"
    [(state, what)] = states(**{setting: url})
    assert state == "fault"
    assert name in what
