"""jq programs: results, errors in the library's words, and no sight of the process."""

from __future__ import annotations

import pytest

from engine.errors import BadExpression
from engine.expression.jq_program import check_jq, run_jq
from engine.model.payload import Json


@pytest.mark.parametrize(
    ("program", "results"),
    [
        (".a + 1", [2]),
        (".list[]", [1, 2.5]),
        ("6 / 2", [3]),
        ("1 / 4", [0.25]),
        ("empty", []),
        ("", [{"a": 1, "list": [1, 2.5]}]),
        ("def double: . * 2; .a | double", [2]),
        ("# all\n.a", [1]),
        (".missing", [None]),
    ],
)
def test_a_program_gives_all_its_results(program: str, results: list[Json]) -> None:
    found = run_jq(program, {"a": 1, "list": [1, 2.5]})

    assert found == results
    assert [type(result) for result in found] == [type(result) for result in results]


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("{", "line 1"),
        ("1 +\n }", "line 2"),
        ('error("boom")', "boom"),
        ("1 / 0", "divisor is zero"),
        (".a.b", "[Cc]annot index number"),
        ("1) | (2", "syntax error"),
        ('import "a" as a; 1', "syntax error"),
        ('include "a"; 1', "syntax error"),
        ("input", "not available"),
        ("halt", "not available"),
        ('"a" | modulemeta', "not available"),
        ("\ud800", "surrogates"),
        ("." * 200_000, "characters"),
    ],
)
def test_a_failing_program_says_why(program: str, reason: str) -> None:
    with pytest.raises(BadExpression, match=reason):
        run_jq(program, {"a": 1})


@pytest.mark.parametrize(
    "program", ["$ENV", "env", "$ENV.SHOP_TOKEN", "env.SHOP_TOKEN", '@json "\\($ENV)"', "[inputs]"]
)
def test_the_environment_of_the_process_is_out_of_sight(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")

    try:
        found = run_jq(program, {})
    except BadExpression as refusal:
        found = [str(refusal)]

    assert "s3cret" not in repr(found)


def test_syntax_is_checked_without_input() -> None:
    assert check_jq(".a | .b") is None
    assert "syntax error" in (check_jq(".a |") or "")


def test_input_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadExpression):
        run_jq(".", {"a": {1, 2}})
