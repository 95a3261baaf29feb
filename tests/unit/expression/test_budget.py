"""What evaluating an expression may cost is bounded by counting, whatever the path, the pattern and the data."""

import time

import pytest

from engine.errors import BadExpression
from engine.expression.budget import Budget, outweighs
from engine.expression.jsonpath import compile_path, find
from engine.expression.template import substitute
from engine.model.payload import Json

#: Seconds of CPU time; some times over what the budget stands for, because machines differ.
AT_ONCE = 3.0

NUMBERS: Json = list(range(100_000))
TWINS: Json = 1
for _ in range(12):
    TWINS = [TWINS, TWINS]
TREE: Json = {"a": [{"b": [1, 2, 3, {"c": [1] * 10}] * 10}] * 10}


def _names(count: int) -> str:
    return "$[" + ",".join(["'a'"] * count) + "]"


COSTLY = {
    "descendants of descendants": ("$" + "..*" * 12, {"a": TWINS}),
    "one list summed up again and again": (_names(2_000) + ".sum()", {"a": NUMBERS}),
    "one list copied again and again": (_names(2_000) + ".append(1)", {"a": NUMBERS}),
    "the keys of one map again and again": (_names(2_000) + ".keys()", {"a": dict.fromkeys(map(str, NUMBERS))}),
    "a text made of one text again and again": (
        _names(10) + ".concat(" + ",".join(["$.t"] * 900) + ")",
        {"a": [], "t": "x" * 1_000_000},
    ),
    "filters in filters": ("a[?($.a[?($.a[?($.a[?(@.x==1)])])])]", {"a": [{"x": 1}] * 150}),
    "every element sought in a long list": ("a[?(@.l subsetof $.n)]", {"a": [{"l": NUMBERS}], "n": NUMBERS[::-1]}),
    "all of a list sought in another": ("a[?($.n all @.l)]", {"a": [{"l": NUMBERS}], "n": NUMBERS[::-1]}),
    "any of a list sought in another": ("a[?(@.l anyof $.n)]", {"a": [{"l": [-1] * 50_000}], "n": NUMBERS}),
    "long texts compared": ("a[?(@ == $.t)]", {"a": ["x" * 1_000_000] * 1_000, "t": "x" * 1_000_000}),
    "large maps compared": ("a[?(@ == $.t)]", {"a": [TREE] * 1_000, "t": {"a": list(TREE["a"])}}),
    "positions out of range": ("a[*]..[" + ",".join(["9"] * 4_000) + "]", {"a": [[1]] * 10_000}),
    "a pattern over long texts": ("a[?(@ =~ /(a|aa)+$/)]", {"a": ["a" * 1_000_000 + "!"] * 100}),
    "a large pattern": ("a[?(@ =~ /.*a.{200}/)]", {"a": ["ab" * 50_000] * 100}),
}


@pytest.mark.parametrize("case", COSTLY)
def test_a_path_that_costs_too_much_is_ended_with_the_reason(case: str) -> None:
    path, document = COSTLY[case]
    began = time.process_time()

    with pytest.raises(BadExpression, match=r"more than [\d,]+ (steps|characters)"):
        find(path, document)

    assert time.process_time() - began < AT_ONCE


def test_the_steps_are_the_same_every_time() -> None:
    spent = []
    for _ in range(2):
        budget = Budget()
        substitute("${a..c[?(@ == 1)]} and ${a[0].b[3]}", {"a": TREE["a"]}, budget=budget)
        spent.append(budget.steps)

    assert spent[0] == spent[1] > 100


def test_all_expressions_of_one_value_share_its_budget() -> None:
    template: Json = {str(number): "${$..*}" for number in range(10_000)}

    with pytest.raises(BadExpression, match="steps"):
        substitute(template, {"a": TWINS})


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*(.*)*x", "([a-z]+)*1"])
def test_no_pattern_backtracks(pattern: str) -> None:
    began = time.process_time()

    assert find(f"a[?(@ =~ /{pattern}/)]", {"a": ["a" * 5_000 + "!"]}) == []
    assert time.process_time() - began < AT_ONCE


@pytest.mark.parametrize("pattern", [r"(?<=a)b", r"(a)\1", "(?:a{1000}){1000}", r"(?:\pL{1,50}x?){20}", "(", "a**"])
def test_a_pattern_that_cannot_be_matched_in_proportion_to_the_text_is_refused(pattern: str) -> None:
    with pytest.raises(BadExpression, match="cannot be read"):
        compile_path(f"a[?(@ =~ /{pattern}/)]")


def test_values_that_hold_each_other_twice_have_no_end_and_are_refused() -> None:
    laugh: Json = "ha"
    for _ in range(60):
        laugh = {"a": laugh, "b": laugh}

    with pytest.raises(BadExpression, match="characters"):
        substitute("${laugh}", {"laugh": laugh})
    with pytest.raises(BadExpression, match="characters"):
        substitute("he said ${laugh}", {"laugh": laugh})


def test_a_text_that_grows_beyond_its_limit_is_not_even_made() -> None:
    with pytest.raises(BadExpression, match="1,000 characters"):
        substitute("${x}" * 50, {"x": "x" * 100}, budget=Budget(most_characters=1_000))
    with pytest.raises(BadExpression, match="1,000 characters"):
        substitute([f"{number} ${{x}}" for number in range(50)], {"x": "x" * 100}, budget=Budget(most_characters=1_000))


def test_data_nested_deeply_is_refused_and_not_a_crash() -> None:
    deep: Json = 1
    for _ in range(5_000):
        deep = [deep]
    twin: Json = 1
    for _ in range(5_000):
        twin = [twin]

    for text in ("${a[?(@ == $.b)]}", "and ${b}", "${b.concat($.b)}"):
        with pytest.raises(BadExpression, match="nested too deeply"):
            substitute(text, {"a": [deep], "b": twin})


@pytest.mark.parametrize("value", [None, True, 12, 1.5, "text", [1, "two"], {"k": [{"v": None}]}])
def test_a_value_outweighs_its_own_size_at_most_a_little(value: Json) -> None:
    assert outweighs(value, 0)
    assert not outweighs(value, 100)


def test_a_path_made_of_data_is_not_remembered_when_it_is_long() -> None:
    from engine.expression import jsonpath

    before = jsonpath._cached.cache_info().currsize
    for number in range(50):
        compile_path("a." + "b" * 300 + str(number))
    assert jsonpath._cached.cache_info().currsize == before
