"""Log lines are events with fields, in one form for us and for libraries, without passwords."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from engine import log


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_carry_the_event_its_fields_and_the_bound_ids(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    log.get_logger("engine.executor").bind(workflow="w1").info("task.retried", attempt=2, delay_s=8)
    printed = capsys.readouterr()
    assert printed.out == ""
    line = json.loads(printed.err)
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "task.retried", "level": "info", "room": "engine.executor",
        "workflow": "w1", "attempt": 2, "delay_s": 8,
    }  # fmt: skip


def test_libraries_write_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    logging.getLogger("sqlalchemy").warning("the pool of %s is empty", "postgresql://a:secret@h/d")
    line = json.loads(capsys.readouterr().err)
    assert (line["room"], line["event"]) == ("sqlalchemy", "the pool of postgresql://a:***@h/d is empty")


@pytest.mark.parametrize("form", ["text", "json"])
def test_passwords_are_masked_wherever_they_stand(capsys: pytest.CaptureFixture[str], form: str) -> None:
    log.configure("info", "json" if form == "json" else "text")
    try:
        raise ConnectionError("amqp://a:secret@h refused")
    except ConnectionError as error:
        log.get_logger("test").exception(
            "broker.lost", password="secret", error=error, urls={"b": ["redis://:secret@h"]}
        )
    text = capsys.readouterr().err
    assert "broker.lost" in text
    assert "ConnectionError" in text
    assert "secret" not in text


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "text")
    log.get_logger("test").info("nothing.special")
    logging.getLogger("anything").info("nothing special")
    assert capsys.readouterr().err == ""


def test_talkative_libraries_are_heard_only_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    logging.getLogger("kombu.connection").info("created channel")
    logging.getLogger("kombu.connection").warning("lost the connection")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "lost the connection" in lines[0]


def test_who_looks_for_a_fault_hears_what_talkative_libraries_tell(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("debug", "text")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.error").debug("a byte arrived")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "Started server process" in lines[0]


def test_asking_whether_a_queue_exists_is_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    logging.getLogger("pika.channel").warning("Received remote Channel.Close (404)")
    assert capsys.readouterr().err == ""


def test_a_broker_that_is_away_is_told_by_us_alone(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    logging.getLogger("pika.adapters.utils").error("AMQPConnector failed", stack_info=True)
    log.get_logger("engine.services.stopping").warning("server.away", reason="connection refused")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "server.away" in lines[0]
