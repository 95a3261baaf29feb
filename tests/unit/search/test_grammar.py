"""The query language: what is read, what it means, and what is refused with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadMessage
from engine.search.condition import (
    EVERYTHING,
    All,
    Contains,
    Matches,
    Not,
    Present,
    Some,
    Wild,
    Within,
    every,
    opposite,
)
from engine.search.free_text import read_free_text
from engine.search.grammar import LONGEST_QUERY, read_query
from engine.search.order import Order, read_order
from engine.search.pattern import contains, has_form, plain, read_pattern
from engine.search.predicate import holds
from engine.search.subject import RUNS

NAME, MARK, STATUS, VERSION = (RUNS.fields[each] for each in ("workflowType", "correlationId", "status", "version"))


def read(text):
    return read_query(text, RUNS)


def failed(text):
    with pytest.raises(BadMessage) as refusal:
        read(text)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("correlationId = plain", ("plain",)),
        ("correlationId=plain", ("plain",)),
        ("correlationId = two  words ", ("two  words",)),
        ("correlationId = 'a  b'", ("a  b",)),
        ('correlationId = "it\'s"', ("it's",)),
        ("correlationId = 'it\\'s'", ("it's",)),
        ("correlationId = it's", ("it's",)),
        ("correlationId = a=b,c<d", ("a=b,c<d",)),
        ("correlationId = 'a AND b'", ("a AND b",)),
        ("correlationId = C:\\new", ("C:\\new",)),
        ("correlationId = 5\\*", ("5*",)),
        ("correlationId = a\\ OR", ("a OR",)),
        ("correlationId = \\(x\\)", ("(x)",)),
        ("correlationId IN (a,b , 'c d', e f)", ("a", "b", "c d", "e f")),
        ("(((correlationId = x)))", ("x",)),
        ("correlationId == x", ("x",)),
    ],
)
def test_a_value_is_what_was_written(text, values):
    assert read(text) == Matches(MARK, values)


def test_wildcards_act_with_quotes_and_without():
    assert read("workflowType IN (ui_*)") == Matches(NAME, (), (("ui_", Wild.MANY),))
    assert read("workflowType = 'a?*'") == Matches(NAME, (), (("a", Wild.ONE, Wild.MANY),))
    assert read("workflowType STARTS_WITH ui_") == read("workflowType = ui_*")


def test_not_binds_closest_and_or_least():
    a, b, c = (Matches(MARK, (each,)) for each in "abc")
    assert read("correlationId = a OR correlationId = b AND correlationId = c") == Some((a, All((b, c))))
    assert read("(correlationId = a or correlationId = b) and correlationId = c") == All((Some((a, b)), c))
    assert read("NOT correlationId = a AND correlationId = b") == All((Not(a), b))
    assert read("NOT (correlationId = a AND correlationId = b)") == Some((Not(a), Not(b)))
    assert read("NOT NOT correlationId = a") == a


def test_opposites_are_written_in_several_ways():
    for text in ("correlationId != a", "correlationId <> a", "NOT correlationId = a", "correlationId NOT IN (a)"):
        assert read(text) == Not(Matches(MARK, ("a",)))
    assert read("correlationId IS NULL") == read("correlationId = ''") == Not(Present(MARK))
    assert read("correlationId IS NOT NULL") == read("correlationId = *") == Present(MARK)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("version = 2", (2, 3)),
        ("version > 2", (3, None)),
        ("version >= 2", (2, None)),
        ("version < '2'", (None, 2)),
        ("version BETWEEN 2 AND 4", (2, 5)),
    ],
)
def test_numbers_are_compared(text, span):
    assert read(text) == Within(VERSION, *span)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("startTime = 1700000000000", (1_700_000_000_000_000, 1_700_000_000_001_000)),
        ("startTime > 1700000000000", (1_700_000_000_001_000, None)),
        ("startTime >= 2023-11-14T22:13:20Z", (1_700_000_000_000_000, None)),
        ("startTime >= '2023-11-14T23:13:20.5+01:00'", (1_700_000_000_500_000, None)),
        ("startTime >= 2023-11-14 22:13:20", (1_700_000_000_000_000, None)),
        ("startTime < 2023-11-14", (1, 1_699_920_000_000_000)),
        ("startTime = 2023-11-14", (1_699_920_000_000_000, 1_700_006_400_000_000)),
    ],
)
def test_moments_are_milliseconds_or_dates_of_which_one_alone_is_a_day(text, span):
    assert read(text) == Within(RUNS.fields["startTime"], *span)


def test_statuses_are_known_words_in_capitals_or_not():
    assert read("status = failed") == Matches(STATUS, ("FAILED",))
    assert read("status IN (FAILED, T*)") == Matches(STATUS, ("FAILED", "TIMED_OUT", "TERMINATED"))
    assert "There is no status 'ODD'" in failed("status = ODD")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("colour = red", "at character 1, 'colour = red': a field is expected"),
        ("status", "one of =, !="),
        ("status =", "at its end: a value is expected"),
        ("status = FAILED)", "at character 16, ')'"),
        ("(status = FAILED", ") is expected"),
        ("status IN (FAILED", ") is expected"),
        ("status IN FAILED", "( is expected"),
        ("status IN (FAILED,)", "a value is expected"),
        ("status = FAILED AND", "a field is expected"),
        ("status = FAILED status = PAUSED", "There is no status"),
        ("status = 'FAILED", "the quotation does not end"),
        ("correlationId = 'a' b", "AND or OR is expected"),
        ("correlationId = black and white", "a field is expected"),
        ("correlationId > a", "correlationId cannot be compared with >"),
        ("status BETWEEN 1 AND 2", "status cannot be compared with BETWEEN"),
        ("version BETWEEN 1", "the upper end"),
        ("version = x", "'x' is no value of version"),
        ("version = 1*", "version takes no wildcards"),
        ("version STARTS_WITH 1", "version cannot be compared with STARTS_WITH"),
        ("startTime > soon", "milliseconds since 1970"),
        ("startTime > 2023-13-01", "milliseconds since 1970"),
        ("startTime > 9999999999999999999999", "milliseconds since 1970"),
        ("correlationId IS 5", "NULL or NOT NULL"),
        ("failedTaskNames = a*b", "only * is a wildcard"),
        ("correlationId = ********a*?*?*?*?*?*", "more than 8 wildcards"),
        ("x" * (LONGEST_QUERY + 1), "the limit is 10,000"),
        ("(" * 21 + "status = FAILED", "20 deep"),
        ("NOT " * 30 + "status = FAILED", "20 deep"),
        (" AND ".join(["version = 1"] * 101), "100 clauses"),
        ("version IN (" + "1," * 1_001 + "1)", "1,000 values"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(text, reason):
    assert reason in failed(text)


def test_free_text_is_words_of_which_all_are_there():
    def word(text):
        return Contains(RUNS.words_in, (text,))

    assert read_free_text("*", RUNS) == read_free_text("", RUNS) == read_free_text(" * ", RUNS) == EVERYTHING
    assert read_free_text("one two", RUNS) == All((word("one"), word("two")))
    assert read_free_text('one & "two three"', RUNS) == All((word("one"), word("two three")))
    assert read_free_text("one | +two", RUNS) == Some((word("one"), word("two")))
    assert read_free_text("one -two", RUNS) == All((word("one"), Not(word("two"))))
    assert read_free_text("a-b", RUNS) == word("a-b")
    for wrong in ("x" * 1_001, "a " * 21, "*a*b*c*d*e"):
        with pytest.raises(BadMessage):
            read_free_text(wrong, RUNS)


def test_lists_are_sorted_by_several_fields():
    began, name = RUNS.fields["startTime"], RUNS.fields["workflowType"]
    assert read_order("workflowType:DESC|startTime", RUNS) == (Order(name, True), Order(began))
    assert read_order(" startTime : asc , startTime:DESC ", RUNS) == (Order(began),)
    assert read_order("", RUNS) == ()
    for wrong in ("colour", "startTime:UP", "input", "|".join(["status"] * 11)):
        with pytest.raises(BadMessage):
            read_order(wrong, RUNS)


def test_behind_the_moment_at_which_runs_began_nothing_is_sorted_by():
    began = RUNS.fields["startTime"]
    assert read_order("startTime:DESC|workflowType", RUNS) == (Order(began, True),)


CHARACTERS = st.text(alphabet="ab*?\\", max_size=8)


@given(st.text(alphabet="ab", max_size=8), CHARACTERS)
def test_a_pattern_fits_what_its_pieces_fit_one_after_the_other(text, written):
    def fits(rest, pieces):
        if not pieces:
            return not rest
        first, *others = pieces
        if first is Wild.MANY:
            return any(fits(rest[at:], others) for at in range(len(rest) + 1))
        if first is Wild.ONE:
            return bool(rest) and fits(rest[1:], others)
        return rest.startswith(first) and fits(rest[len(first) :], others)

    pattern = read_pattern(written)
    assert has_form(text, pattern) == fits(text, list(pattern))
    assert plain(pattern) is None or has_form(text, pattern) == (text == plain(pattern))
    assert contains(text, pattern) == any(
        has_form(text[begin:end], pattern) for begin in range(len(text) + 1) for end in range(begin, len(text) + 1)
    )


CONDITIONS = st.recursive(
    st.sampled_from([read("version = 1"), read("correlationId IS NULL"), read("workflowType = a*"), EVERYTHING]),
    lambda inner: (
        st.builds(opposite, inner)
        | st.builds(lambda parts: every(parts), st.lists(inner, max_size=3))
        | st.builds(lambda parts: Some(tuple(parts)), st.lists(inner, max_size=3))
    ),
    max_leaves=8,
)


@given(CONDITIONS, st.integers(0, 2), st.sampled_from([None, "", "x"]), st.sampled_from(["a", "b"]))
def test_the_opposite_of_a_condition_holds_of_everything_else(condition, version, mark, name):
    record = {VERSION: version, MARK: mark, NAME: name}
    assert holds(condition, record.__getitem__) is not holds(opposite(condition), record.__getitem__)
