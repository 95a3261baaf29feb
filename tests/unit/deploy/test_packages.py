"""Where nothing may be installed, the text says exactly what to install and how."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy import packages, servers
from deploy.endpoint import ServerMissing
from deploy.kinds import KINDS, Kind


def test_without_rights_nothing_is_installed_and_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages.shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    monkeypatch.setattr(packages.sys, "platform", "linux")
    with pytest.raises(ServerMissing) as missing:
        packages.install(["rabbitmq-server", "postgresql"], "name running servers in BATON_TEST_DATABASE_URL")
    text = str(missing.value)
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends rabbitmq-server postgresql" in text
    assert "or name running servers in BATON_TEST_DATABASE_URL." in text


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_missing_server_is_told_with_its_package_and_the_variable_that_names_another_one(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_become_root", lambda: None)
    with pytest.raises(ServerMissing) as missing:
        servers._install([replace(kind, programs=lambda: None)])
    assert kind.package in str(missing.value)
    assert f"{kind.variable} ({kind.example})" in str(missing.value)


def test_a_mac_is_told_homebrews_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.sys, "platform", "darwin")
    assert "brew install rabbitmq postgresql@16" in packages.by_hand(["rabbitmq-server", "postgresql"])
