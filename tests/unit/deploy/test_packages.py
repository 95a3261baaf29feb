"""Where nothing may be installed, the text says exactly what to install and how."""

from __future__ import annotations

import pytest

from deploy import packages
from deploy.endpoint import ServerMissing


def test_without_rights_nothing_is_installed_and_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(packages.shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    monkeypatch.setattr(packages.sys, "platform", "linux")
    with pytest.raises(ServerMissing) as missing:
        packages.install(["rabbitmq-server", "postgresql"])
    text = str(missing.value)
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends rabbitmq-server postgresql" in text
    assert "BATON_TEST_DATABASE_URL" in text
    assert "BATON_TEST_BROKER_URL" in text


def test_a_mac_is_told_homebrews_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.sys, "platform", "darwin")
    assert "brew install rabbitmq postgresql@16" in packages.by_hand(["rabbitmq-server", "postgresql"])
