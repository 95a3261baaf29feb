"""What definitions may name of the world outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import load
from engine.named_values import environment_values, secret_values


def test_only_variables_with_the_prefix_can_be_named(tmp_path: Path) -> None:
    given = {"BATON_ENV_REGION": "eu", "HOME": "/root", "BATON_BROKER_URL": "amqp://x", "BATON_ENV_EMPTY": ""}
    assert environment_values(given, tmp_path) == {"REGION": "eu"}


def test_they_may_stand_in_the_file_beside_the_settings_and_are_no_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BATON_ENV_REGION=eu\nBATON_SECRET_TOKEN=s3cret\n")
    load({}, tmp_path)
    assert environment_values({"BATON_ENV_REGION": "us"}, tmp_path) == {"REGION": "us"}
    assert secret_values(None, {}, tmp_path)("TOKEN") == "s3cret"


def test_a_secret_may_be_a_file_that_is_read_anew_each_time(tmp_path: Path) -> None:
    find = secret_values(str(tmp_path), {"BATON_SECRET_both": "variable"}, tmp_path)
    (tmp_path / "token").write_text("old\n")
    (tmp_path / "both").write_text("file")
    assert (find("token"), find("both")) == ("old", "variable")
    (tmp_path / "token").write_text("new\n\n")
    assert find("token") == "new\n"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "..", ".hidden", "a/b", "missing", "folder", ""])
def test_a_name_is_never_a_way_out_of_the_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("no")
    secrets = tmp_path / "secrets"
    (secrets / "folder").mkdir(parents=True)
    (secrets / ".hidden").write_text("no")
    assert secret_values(str(secrets), {}, tmp_path)(name) is None


def test_a_file_that_is_no_text_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\xff\xfe\x00")
    assert secret_values(str(tmp_path), {}, tmp_path)("image") is None
