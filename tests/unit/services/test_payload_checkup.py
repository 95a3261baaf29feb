"""The doctor on the payload storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import Settings
from engine.services.payload_checkup import examine_payloads


def states(url: str | None) -> list[tuple[str, str]]:
    return [(each.state, each.what) for each in examine_payloads(Settings(payload_storage_url=url))]


def test_nothing_is_said_where_payloads_stay_in_their_rows() -> None:
    assert states(None) == []


def test_a_storage_that_works_is_left_as_it_was(tmp_path: Path) -> None:
    assert [state for state, _ in states(f"file://{tmp_path}")] == ["ok"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kind", ["a file in its place", "a protocol without its library"])
def test_a_storage_that_does_not_work_is_a_fault_with_the_reason(tmp_path: Path, kind: str) -> None:
    (tmp_path / "taken").write_text("")
    url = f"file://{tmp_path / 'taken'}" if "file" in kind else "gcs://bucket/folder"
    [(state, what)] = states(url)
    assert state == "fault"
    assert "payload storage" in what
