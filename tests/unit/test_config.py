"""Settings are read once, from the environment and `.env`, and every fault is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import Settings, load
from engine.errors import BadConfiguration


def test_nothing_given_means_the_defaults(tmp_path: Path) -> None:
    assert load({}, tmp_path) == Settings()


def test_values_get_the_type_of_their_field(tmp_path: Path) -> None:
    given = {"BATON_PREFETCH": "500", "BATON_LEASE_SECONDS": "2.5", "BATON_MANAGEMENT_URL": "http://localhost:15672"}
    settings = load(given, tmp_path)
    assert settings.prefetch == 500
    assert settings.lease_seconds == 2.5
    assert settings.management_url == "http://localhost:15672"


def test_the_environment_outdoes_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BATON_HTTP_PORT=9000\nBATON_PARTITIONS=4\nOTHER=1\n")
    settings = load({"BATON_HTTP_PORT": "9001"}, tmp_path)
    assert (settings.http_port, settings.partitions) == (9001, 4)


def test_an_empty_value_counts_as_not_set(tmp_path: Path) -> None:
    assert load({"BATON_MANAGEMENT_URL": "", "BATON_HTTP_PORT": ""}, tmp_path) == Settings()


def test_every_fault_is_told_at_once_with_its_source(tmp_path: Path) -> None:
    # Given five mistakes, one of them in the file.
    (tmp_path / ".env").write_text("BATON_HTTP_PORT=70000\n")
    given = {
        "BATON_PREFETCH": "many",
        "BATON_LOG_LEVEL": "loud",
        "BATON_DATABASE_URL": "oracle://shop:secret@db/shop",
        "BATON_BATCH_SIZE": "2000",
    }
    # When the settings are read.
    with pytest.raises(BadConfiguration) as raised:
        load(given, tmp_path)
    # Then each has a sentence, and no password is in any of them.
    database, port, level, prefetch, batch = raised.value.faults
    assert port == f"BATON_HTTP_PORT ({tmp_path / '.env'}) is '70000': must be a port from 1 to 65535."
    assert level == "BATON_LOG_LEVEL (environment) is 'loud': must be one of debug, info, warning, error."
    assert database.startswith("BATON_DATABASE_URL (environment) is 'oracle://shop:***@db/shop': must be a URL like")
    assert "BATON_PREFETCH (environment) is 'many'" in prefetch
    assert "larger than BATON_PREFETCH" in batch


def test_an_unknown_variable_is_a_fault_that_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        BadConfiguration, match=r"BATON_PREFTCH \(environment\) is not a setting; did you mean BATON_PREF"
    ):
        load({"BATON_PREFTCH": "5"}, tmp_path)


def test_an_unknown_variable_like_no_other_is_answered_with_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="there are BATON_ALIVE_FILE, BATON_APP, BATON_"):
        load({"BATON_XYZ": "5"}, tmp_path)


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "1e400"])
def test_seconds_are_positive_and_finite(tmp_path: Path, value: str) -> None:
    with pytest.raises(BadConfiguration, match="BATON_DRAIN_SECONDS"):
        load({"BATON_DRAIN_SECONDS": value}, tmp_path)


def test_variables_of_the_test_suite_and_of_kubernetes_are_left_alone(tmp_path: Path) -> None:
    given = {
        "BATON_TEST_DATABASE_URL": "postgresql+psycopg://localhost/postgres",
        "BATON_SERVER_SERVICE_HOST": "10.0.0.1",
        "BATON_SERVER_SERVICE_PORT_HTTP": "8080",
        "BATON_SERVER_PORT": "tcp://10.0.0.1:8080",
        "BATON_SERVER_PORT_8080_TCP_ADDR": "10.0.0.1",
        "BATON_HTTP_PORT": "tcp://10.0.0.1:8080",
    }
    assert load(given, tmp_path) == Settings()


def test_what_is_shown_has_no_password_in_it() -> None:
    settings = Settings(
        database_url="postgresql+psycopg://shop:s3cret@db/shop?sslpassword=s3cret",
        broker_url="amqp://shop:s3@cret@rabbit//;amqp://shop:s3cret@other//",
        management_url="http://shop:s3cret@rabbit:15672",
        sql_connections="orders=mysql+pymysql://shop:s3cret@db/shop stock=sqlite:///stock.db",
    )
    for text in (repr(settings), str(settings.shown()), str(list(settings.__rich_repr__()))):
        assert "s3" not in text
        assert "shop:***@" in text


def test_settings_never_change() -> None:
    with pytest.raises(AttributeError):
        Settings().http_port = 1  # type: ignore[misc]
