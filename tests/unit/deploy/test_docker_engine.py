"""Docker is used only where an engine answers: the client alone says its version and can do nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy import docker_engine
from deploy.endpoint import ServerMissing

#: Plays `docker`: notes how it was called, with the passwords it was given, and ends as the test wants.
CLIENT = """#!/bin/sh
echo "$* POSTGRES_PASSWORD=$POSTGRES_PASSWORD" >> {folder}/calls
{answer}
"""


def client(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> Path:
    program = folder / "docker"
    program.write_text(CLIENT.format(folder=folder, answer=answer))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder / "calls"


def test_a_client_without_an_engine_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, monkeypatch, 'test "$1" = "--version"')
    assert not docker_engine.answers()


def test_an_engine_without_compose_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, monkeypatch, 'test "$1" = "version"')
    assert not docker_engine.answers()


def test_no_client_at_all_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not docker_engine.answers()


def test_servers_start_one_by_one_on_our_file_with_our_passwords_and_leave_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = client(tmp_path, monkeypatch, "exit 0")
    assert docker_engine.answers()
    compose = docker_engine.ComposeServers("baton-1", tmp_path)
    compose.start("postgres")
    password = json.loads((tmp_path / docker_engine.NOTES).read_text())["POSTGRES_PASSWORD"]
    compose.remove()
    up, down = calls.read_text().splitlines()[-2:]
    file = docker_engine.COMPOSE_FILE
    assert up == f"compose -f {file} -p baton-1 up --detach --wait postgres POSTGRES_PASSWORD={password}"
    assert down == f"compose -f {file} -p baton-1 down --volumes POSTGRES_PASSWORD={password}"
    assert password in compose.database_url
    assert not docker_engine.was_used(tmp_path)


def test_a_later_start_finds_the_passwords_and_ports_of_an_earlier_one(tmp_path: Path) -> None:
    first = docker_engine.ComposeServers("baton-1", tmp_path)
    second = docker_engine.ComposeServers("baton-1", tmp_path)
    assert (first.database_url, first.broker_url) == (second.database_url, second.broker_url)


def test_what_compose_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path, monkeypatch, "echo 'no space left on device' >&2; exit 1")
    with pytest.raises(ServerMissing, match="could not start rabbitmq:\nno space left on device"):
        docker_engine.ComposeServers("baton-1", tmp_path).start("rabbitmq")
