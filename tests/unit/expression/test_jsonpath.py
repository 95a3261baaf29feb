"""JSON paths, row by row as table 2.4 has them."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadExpression
from engine.expression.jsonpath import LONGEST_PATH, compile_path, find, named_root
from engine.model.payload import Json

DOCUMENT: dict[str, Json] = {
    "a": {
        "b-c": 1,
        "_u": 2,
        "x:y": 3,
        "$d": 4,
        "@at": 5,
        "größe": 6,
        "my key": 7,
        "k.dot": 8,
        "f(x)": 9,
        "it's": 10,
        "text": '{"x": 1}',
        "none": None,
        "numbers": [1, 2, 3.5],
        "words": ["x", "y"],
        "list": [{"x": 1, "tag": "red"}, {"x": 2, "y": None}, {"z": 3}],
    }
}


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("a.b-c", 1),
        ("a._u", 2),
        ("a.x:y", 3),
        ("a.$d", 4),
        ("a.@at", 5),
        ("a.größe", 6),
        ("a['my key']", 7),
        ('a["my key"]', 7),
        ("a['k.dot']", 8),
        ("a['f(x)']", 9),
        ("a['it\\'s']", 10),
        ("$.a._u", 2),
        ("@.a._u", 2),
        ("$['a']['_u']", 2),
        ("a._u ", 2),
        ("a.list[0].x", 1),
        ("a.list[-1].z", 3),
        ("a.list[9]", None),
        ("a.list[-9]", None),
        ("a.numbers[0:2]", [1, 2]),
        ("a.numbers[-2:]", [2, 3.5]),
        ("a.numbers[:-1]", [1, 2]),
        ("a.numbers[0,2]", [1, 3.5]),
        ("a.numbers[0,9]", [1]),
        ("a.list[*].x", [1, 2]),
        ("a.list[*].y", [None]),
        ("a.list..x", [1, 2]),
        ("a.list...x", [1, 2]),
        ("$..x", [1, 2]),
        ("a..nothing", []),
        ("a.list.x", None),
        ("a.list[?(@.x>1)].x", [2]),
        ("a.list[?(@.x > 1)].x", [2]),
        ("a.list[?(@.x>=1 && @.x<2)].x", [1]),
        ("a.list[?(@.x==2 || @.z==3)]", [{"x": 2, "y": None}, {"z": 3}]),
        ("a.list[?(@.x!=1)].x", [2]),
        ("a.list[?(@.tag=='red')].x", [1]),
        ("a.list[?(@.x=='1')].x", [1]),
        ("a.list[?(@.x==='1')].x", []),
        ("a.list[?(@.x==true)].x", []),
        ("a.list[?(@.x in [1, 5])].x", [1]),
        ("a.list[?(@.tag in ['red', 'blue'])].x", [1]),
        ("a.list[?(@.x nin [1])].x", [2]),
        ("a.list[?(@.tag =~ /R.*/i)].x", [1]),
        ("a.list[?(@.tag =~ /e/)].x", []),
        ("a.list[?(@.y)].x", [2]),
        ("a.list[?(!@.x)]", [{"z": 3}]),
        ("a.list[?(!(@.x || @.y))]", [{"z": 3}]),
        ("a.list[?(@['x'] == $.a._u)].x", [2]),
        ("a.list[?(2 <= @.x)].x", [2]),
        ("a.list[?(@.q == 1)]", []),
        ("a.list[?(@.tag contains 'e')].x", [1]),
        ("a.words[?(@ == 'y')]", ["y"]),
        ("a.words.*", ["x", "y"]),
        ("a.list[0].*", [1, "red"]),
        ("a['_u','b-c']", {"_u": 2, "b-c": 1}),
        ("a['_u','missing']", {"_u": 2}),
        ("a.numbers.length()", 3),
        ("a.numbers.size()", 3),
        ("a.list[0].length()", 2),
        ("a.text.length()", None),
        ("a.missing.length()", None),
        ("a.numbers.min()", 1.0),
        ("a.numbers.max()", 3.5),
        ("a.numbers.sum()", 6.5),
        ("a.numbers[0:2].sum()", []),
        ("a.words.sum()", None),
        ("$..x.sum()", 3.0),
        ("a.numbers.first()", 1),
        ("a.numbers.last()", 3.5),
        ("a.numbers.index(1)", 2),
        ("a.numbers.index(9)", None),
        ("a.list[0].keys()", ["x", "tag"]),
        ("a.words.concat('!', 1)", "xy!1"),
        ("a.words.append('z')", ["x", "y", "z"]),
        ("a.words.append($.a._u)", ["x", "y", 2]),
        ("a.text.x", None),
        ("a.none", None),
        ("a.none.x", None),
        ("a._u.x", None),
        ("a.*.x", []),
    ],
)
def test_a_path_finds_what_jayway_finds(path: str, result: Json) -> None:
    found = find(path, DOCUMENT)

    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(("path", "result"), [("avg", 13 / 6), ("stddev", 1.0274023338281628)])
def test_averages_are_doubles(path: str, result: float) -> None:
    assert find(f"a.numbers.{path}()", DOCUMENT) == pytest.approx(result)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "blank"),
        (" a.b", "begins with a blank"),
        ("a.my key", "blank is written"),
        ("a.f(x)", "no function"),
        ("a.list[(@.length-1)]", r"use \[-1\]"),
        ("a.", "name is missing"),
        ("a....b", "name is missing"),
        ("$a", "cannot follow"),
        ("a[", "expected"),
        ("a['x", "ends too early"),
        ("a[?(@.x", "expected"),
        ("a[?(@.x ~ 1)]", "expected"),
        ("a[?(@.x like 1)]", "no operator"),
        ("a[?(@.x == red)]", "stand in quotes"),
        ("a[?(@.x =~ /(/)]", "pattern"),
        ("a[?(@.x =~ /a/q)]", "unknown flag"),
        ("a[?(" + "(" * 60 + "@.x" + ")" * 60 + ")]", "nested"),
        ("a." + "b" * LONGEST_PATH, "characters"),
    ],
)
def test_what_is_no_path_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(BadExpression, match=reason):
        compile_path(path)


def test_functions_leave_the_document_as_it_was() -> None:
    document = copy.deepcopy(DOCUMENT)

    for call in ("append(1)", "concat('x')", "first()", "keys()", "sum()"):
        find(f"a.numbers.{call}", document)

    assert document == DOCUMENT


@pytest.mark.parametrize(
    ("path", "root"), [("a.b", "a"), ("$.a", "a"), ("['a'].b", "a"), ("$..a", None), ("$.*", None), ("$", None)]
)
def test_the_root_of_a_path_is_known(path: str, root: str | None) -> None:
    assert named_root(compile_path(path)) == root


def test_a_path_that_multiplies_without_end_is_stopped() -> None:
    document: Json = 1
    for _ in range(12):
        document = [document, document]

    with pytest.raises(BadExpression, match="more specific"):
        find("$..*..*..*..*", {"a": document})


def test_deep_documents_are_searched() -> None:
    document: Json = {"x": 1}
    for _ in range(50_000):
        document = [document]

    assert find("$..x", {"a": document}) == [1]


@given(st.text(alphabet="$@.*[]'?(),:-01ab<=!&|/ ~x\\"))
def test_every_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = compile_path(text)
    except BadExpression:
        return
    found = path.find({"a": {"b": [1, {"a": "x"}]}, "b": [0, 1]})
    assert path.definite or isinstance(found, list)
