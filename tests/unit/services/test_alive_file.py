"""A process shows from outside that it goes on, and a place where it could not is refused at the start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import BadConfiguration
from engine.services import alive_file
from engine.services.alive_file import AliveFile
from engine.services.stopping import Stop


@pytest.fixture(autouse=True)
def _at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive_file, "_PAUSE_SECONDS", 0.0)


def test_every_turn_touches_the_file(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    stop = Stop(AliveFile(str(path)))
    os.utime(path, (0, 0))
    assert not stop.wanted()
    assert path.stat().st_mtime > 0


def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    stop = Stop(AliveFile(str(path)))
    path.unlink()
    stop.wanted()
    assert path.exists()


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"BATON_ALIVE_FILE \(.*\) cannot be written: No such file or directory"):
        AliveFile(str(tmp_path / "missing" / "alive"))


def test_a_disk_that_fills_up_later_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "alive"
    path.parent.mkdir()
    stop = Stop(AliveFile(str(path)))
    path.unlink()
    path.parent.rmdir()
    assert not stop.wanted()
