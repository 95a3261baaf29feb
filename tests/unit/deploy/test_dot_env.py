"""`make up` writes its part of `.env`, and `make down` leaves the rest as it was."""

from __future__ import annotations

from pathlib import Path

from deploy.dot_env import forget, write
from engine.config import load


def test_what_is_written_is_what_every_command_reads(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("BATON_PREFETCH=300\nBATON_HTTP_PORT=1\n")
    write(file, {"BATON_HTTP_PORT": "9000"})
    settings = load({}, tmp_path)
    assert (settings.prefetch, settings.http_port) == (300, 9000)
    assert file.stat().st_mode & 0o077 == 0


def test_what_others_wrote_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("BATON_PREFETCH=300\n")
    write(file, {"BATON_HTTP_PORT": "9000"})
    with file.open("a") as more:
        more.write("BATON_PARTITIONS=4\n")
    write(file, {"BATON_HTTP_PORT": "9001"})
    assert file.read_text().count("BATON_HTTP_PORT") == 1
    forget(file)
    assert file.read_text() == "BATON_PREFETCH=300\nBATON_PARTITIONS=4\n"


def test_a_file_that_was_ours_alone_goes(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    write(file, {"BATON_HTTP_PORT": "9000"})
    forget(file)
    assert not file.exists()
    forget(file)
