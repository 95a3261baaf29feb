"""What strangers have written is shown, and never carried out, by terminals."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
import structlog
from rich.console import Console

from engine import log
from engine.cli.board import change_lines, draw
from engine.cli.failure import Failure
from engine.cli.output import print_json, print_table
from engine.masking import visible

ESCAPES = "\x1b[2J\x1b]0;title\x07\r\x08\x9b31m\u202e"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def harmless(text: str) -> bool:
    return all(character.isprintable() or character in "\n\t" for character in text)


def test_a_table_shows_what_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["Name", "Reason"], [[f"evil{ESCAPES}", f"two\nlines{ESCAPES}"]])

    printed = capsys.readouterr().out
    assert harmless(printed)
    assert "evil\\x1b[2J" in printed
    assert len(printed.strip().splitlines()) == 2


def test_json_is_escaped_and_stays_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": f"x{ESCAPES}ü 注"})

    printed = capsys.readouterr().out
    assert harmless(printed)
    assert json.loads(printed) == {"a": f"x{ESCAPES}ü 注"}
    assert "ü 注" in printed


def test_a_failure_is_told_without_obeying_it(capsys: pytest.CaptureFixture[str]) -> None:
    Failure(f"No workflow {ESCAPES}", hint=ESCAPES).show()

    assert harmless(click.unstyle(capsys.readouterr().err))


def test_the_picture_of_a_run_is_made_of_its_own_lines() -> None:
    task = {
        "taskId": "w.1",
        "referenceTaskName": f"a{ESCAPES}",
        "status": "FAILED",
        "taskType": f"T{ESCAPES}",
        "reasonForIncompletion": f"because{ESCAPES}",
    }
    definition = {"tasks": [{"taskReferenceName": f"a{ESCAPES}", "type": f"T{ESCAPES}"}]}
    run = {
        "workflowName": f"w{ESCAPES}",
        "workflowVersion": 1,
        "workflowId": f"i{ESCAPES}",
        "status": "FAILED",
        "reasonForIncompletion": f"why{ESCAPES}",
        "tasks": [task],
        "workflowDefinition": definition,
    }
    console = Console(width=400, no_color=True)
    with console.capture() as captured:
        console.print(draw(run, {}))

    assert harmless(captured.get())
    assert harmless(visible(change_lines({}, run)[1][0]))


def test_a_log_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "text")
    log.get_logger("room").warning("start.refused", workflow=f"x\n2026-01-01 [error] forged{ESCAPES}", reason=ESCAPES)

    printed = capsys.readouterr().err
    assert len(printed.strip().splitlines()) == 1
    assert "\x1b[2J" not in printed
    assert "\x9b" not in printed
