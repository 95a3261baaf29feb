"""INLINE and JSON_JQ_TRANSFORM: results, errors, and limits that hold in any thread (Conductor 3.15, 3.16)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine.errors import ScriptLimitExceeded
from workers import TaskFailure, TerminalError
from workers.sandbox import Sandbox
from workers.sandbox_child import Job
from workers.tasks import inline, json_jq_transform


def test_a_script_sees_the_input_and_gives_a_result() -> None:
    assert inline.run(None, evaluatorType="javascript", expression="$.a + 1", a=2) == {"result": 3}


def test_javascript_is_the_default() -> None:
    assert inline.run(None, expression="1 + 1") == {"result": 2}


def test_an_input_may_be_called_anything() -> None:
    assert inline.run(None, expression="$.self + $._", self=1, _=2) == {"result": 3}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"expression": "throw new Error('no')"}, "no"),
        ({"expression": "1 +"}, "SyntaxError"),
        ({"expression": "1", "evaluatorType": "cobol"}, "cobol"),
    ],
)
def test_a_faulty_script_is_terminal_and_its_output_says_why(inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(TerminalError, match=reason) as caught:
        inline.run(None, **inputs)
    assert caught.value.output == {"error": caught.value.reason}


@pytest.mark.parametrize("expression", [None, "", "  ", 3])
def test_a_missing_expression_is_terminal(expression: Any) -> None:
    with pytest.raises(TerminalError, match="Empty 'expression'"):
        inline.run(None, expression=expression)


def test_a_script_without_end_is_an_ordinary_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline, "TIME_LIMIT", 0.2)
    with pytest.raises(TaskFailure, match=r"Script not evaluated within 0\.2 seconds, interrupted\.") as caught:
        inline.run(None, expression="for(;;);")
    assert not isinstance(caught.value, TerminalError)


def test_jq_gives_the_first_result_and_all_of_them() -> None:
    output = json_jq_transform.run(None, queryExpression=".list[] | . * 2", list=[1, 2])
    assert output == {"result": 2, "resultList": [2, 4]}


def test_jq_without_a_result_gives_null() -> None:
    assert json_jq_transform.run(None, queryExpression="empty") == {"result": None, "resultList": []}


@pytest.mark.parametrize("program", [None, "", ".[", ".a.b.c", 'error("no")'])
def test_a_jq_error_may_be_retried_and_its_output_says_why(program: Any) -> None:
    with pytest.raises(TaskFailure) as caught:
        json_jq_transform.run(None, queryExpression=program, a=1)
    assert not isinstance(caught.value, TerminalError)
    assert caught.value.output == {"error": caught.value.reason}


def job(program: str, seconds: float = 5.0) -> Job:
    return Job(kind="jq", arguments=[program, None], time_limit_seconds=seconds)


def test_a_program_that_never_ends_is_killed_and_the_next_one_runs() -> None:
    sandbox = Sandbox(size=1)
    with pytest.raises(ScriptLimitExceeded, match=r"0\.1 seconds"):
        sandbox.run(job("last(range(1e15))", seconds=0.1))
    assert sandbox.run(job("1 + 1")) == [2]
    sandbox.close()


def test_a_program_that_eats_memory_is_killed_and_the_next_one_runs() -> None:
    sandbox = Sandbox(size=1, memory_limit_bytes=32 * 1024 * 1024)
    with pytest.raises(ScriptLimitExceeded, match="memory"):
        sandbox.run(job("[range(1e9)]"))
    assert sandbox.run(job("1 + 1")) == [2]
    sandbox.close()


def test_a_child_that_died_meanwhile_is_replaced() -> None:
    sandbox = Sandbox(size=1)
    assert sandbox.run(job("1")) == [1]
    sandbox._idle[0]._process.kill()
    sandbox._idle[0]._process.wait()
    assert sandbox.run(job("2")) == [2]
    sandbox.close()


def test_programs_see_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    sandbox = Sandbox(size=1)
    assert "secret" not in str(sandbox.run(job("$ENV")))
    sandbox.close()


def test_many_threads_share_a_few_children() -> None:
    sandbox = Sandbox(size=2)
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda n: sandbox.run(job(f"{n} + 1")), range(20)))
    assert results == [[n + 1] for n in range(20)]
    assert len(sandbox._idle) <= 2
    sandbox.close()
