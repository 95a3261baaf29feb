"""The ``${…}`` language, row by row as Conductor's rules 2.1 to 2.3 have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadExpression
from engine.expression.secret import reveal
from engine.expression.template import compile_template, is_expression, references, substitute
from engine.model.payload import Json

CONTEXT: dict[str, Json] = {
    "workflow": {
        "input": {
            "n": 7,
            "f": 1.5,
            "yes": True,
            "none": None,
            "key": "n",
            "map": {"a": "b"},
            "list": [1, "x"],
            "s": "hi",
        },
        "status": "RUNNING",
    },
    "resize": {"output": {"width": 80, "raw": "a $${b}", "template": "${workflow.input.n}"}, "status": "COMPLETED"},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


class OnlyAsked(Mapping[str, Json]):
    """A context that notes which roots were asked for."""

    def __init__(self, roots: Mapping[str, Json]) -> None:
        self.roots = roots
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Json:
        self.asked.append(name)
        return self.roots[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.roots)

    def __len__(self) -> int:
        return len(self.roots)


@pytest.mark.parametrize(
    ("written", "result"),
    [
        # A whole value keeps its type.
        ("${workflow.input.n}", 7),
        ("${workflow.input.f}", 1.5),
        ("${workflow.input.yes}", True),
        ("${workflow.input.none}", None),
        ("${workflow.input.map}", {"a": "b"}),
        ("${workflow.input.list}", [1, "x"]),
        ("${$.workflow.input.n}", 7),
        ("${@.workflow.input.n}", 7),
        # Inside other text, values are spliced in; maps and lists as JSON.
        ("n=${workflow.input.n} f=${workflow.input.f}", "n=7 f=1.5"),
        ("${workflow.input.yes}!", "true!"),
        ("<${workflow.input.none}>", "<null>"),
        ("<${workflow.input.map}>", '<{"a":"b"}>'),
        ("<${workflow.input.list}>", '<[1,"x"]>'),
        ("<${workflow.input.list[*].q}>", "<[]>"),
        ("${workflow.input.n}${workflow.input.s}", "7hi"),
        # Nesting: the inner one first.
        ("${workflow.input.${workflow.input.key}}", 7),
        ("${workflow.${workflow.input.none}.n}", None),
        # Braces are balanced; a lone one in quotes ends the match early.
        ("${workflow.input['a}b']}", "nullb']}"),
        ("{${workflow.input.n}}", "{7}"),
        # Unclosed, blank, escaped.
        ("${workflow.input.n", "${workflow.input.n"),
        ("${open ${workflow.input.n}", "${open 7"),
        ("${}", ""),
        ("${  }", ""),
        ("<${}>", "<>"),
        ("$${workflow.input.n}", "${workflow.input.n}"),
        ("say $${x} to ${workflow.input.s}", "say ${x} to hi"),
        ("$${a.${workflow.input.n}}", "${a.7}"),
        ("${resize.output.raw}", "a $${b}"),
        ("<${resize.output.raw}>", "<a ${b}>"),
        # Missing and faulty paths.
        ("${workflow.input.nothing}", None),
        ("${workflow.input.nothing.below}", None),
        ("${never_scheduled.output.x}", None),
        ("${workflow.input.list[*].q}", []),
        ("${workflow.input.my key}", None),
        ("${ workflow.input.n}", None),
        ("${workflow.input.n }", 7),
        # What was found is not evaluated again.
        ("${resize.output.template}", "${workflow.input.n}"),
        ("<${resize.output.template}>", "<${workflow.input.n}>"),
        # The process's environment is out of reach.
        ("${PATH}", None),
        ("${HOME}", None),
        # Secrets stay as written.
        ("${workflow.secrets.token}", "${workflow.secrets.token}"),
        ("Bearer ${workflow.secrets.token}", "Bearer ${workflow.secrets.token}"),
        # Names of the system stay as written while they have no value.
        ("${CPEWF_TASK_ID}", "${CPEWF_TASK_ID}"),
        ("<${CPEWF_TASK_ID}>", "<${CPEWF_TASK_ID}>"),
    ],
)
def test_a_text_is_filled_as_conductor_fills_it(written: str, result: Json) -> None:
    found = substitute(written, CONTEXT)

    assert found == result
    assert type(found) is type(result)


def test_maps_and_lists_are_walked_and_their_keys_are_left_alone() -> None:
    written = {"${workflow.input.n}": ["${workflow.input.n}", {"deep": "x${workflow.input.s}"}], "plain": 3}

    assert substitute(written, CONTEXT) == {"${workflow.input.n}": [7, {"deep": "xhi"}], "plain": 3}


def test_a_system_name_with_a_value_is_replaced() -> None:
    assert substitute("${CPEWF_TASK_ID}", {"CPEWF_TASK_ID": "t-1"}) == "t-1"
    assert substitute("${CPEWF_TASK_ID}", {"CPEWF_TASK_ID": None}) == "${CPEWF_TASK_ID}"


def test_other_roots_that_are_null_give_null() -> None:
    assert substitute("${order}", {"order": None}) is None


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ("${workflow.env.REGION}", "eu"),
        ("in ${workflow.env.REGION}", "in eu"),
        ("${workflow.env.SETTINGS.ports[1]}", 81),
        ("${workflow.env.LIMITS.cpu}", 2),
        ("${workflow.env.REGION.x}", None),
        ("${workflow.env.UNKNOWN}", None),
        ("<${workflow.env.UNKNOWN}>", "<null>"),
        ("${workflow.env.a b}", None),
        # As Conductor reads the variables of its server, but from the values that are meant for definitions.
        ("${REGION}", "eu"),
        ("at ${REGION}", "at eu"),
        ("${UNKNOWN}", None),
    ],
)
def test_environment_values_come_from_what_the_caller_gives(written: str, result: Json) -> None:
    environment = {"REGION": "eu", "SETTINGS": '{"ports": [80, 81]}', "LIMITS": {"cpu": 2}}

    assert substitute(written, CONTEXT, environment=environment) == result


def test_only_the_roots_that_are_named_are_asked_for() -> None:
    context = OnlyAsked(CONTEXT)

    substitute({"a": "${resize.output.width}", "b": "${resize.output[?(@.x)]}", "c": "${missing.x}"}, context)

    assert set(context.asked) == {"resize", "missing"}


def test_a_path_over_everything_asks_for_everything() -> None:
    context = OnlyAsked(CONTEXT)

    assert substitute("${$..width}", context) == [80]
    assert set(context.asked) >= set(CONTEXT)


@given(json_values.filter(lambda value: "${" not in repr(value)))
def test_a_value_without_expressions_is_returned_itself(value: Json) -> None:
    assert substitute(value, {}) is value
    assert compile_template(value).constant


@given(json_values)
def test_a_whole_expression_gives_the_very_value(value: Json) -> None:
    assert substitute("${t.output.x}", {"t": {"output": {"x": value}}}) is value


@given(json_values)
def test_what_was_found_is_never_changed(value: Json) -> None:
    context = {"t": {"output": {"x": value}}}
    before = repr(context)

    substitute(["${t.output.x.append(1)}", "${t.output.x[*]}", "<${t.output.x}>", "${t..x.concat('a')}"], context)

    assert repr(context) == before


@given(st.text(alphabet="${} .a['\\\"]()?@*:1,"))
def test_no_text_makes_it_fail(text: str) -> None:
    substitute(text, {"a": {"a": [1, {"a": 1}]}})
    assert all(reference.text in text for reference in references(text))


def test_a_template_is_compiled_once_and_rendered_for_many() -> None:
    template = compile_template({"n": "${workflow.input.n}", "fixed": [1]})

    assert not template.constant
    assert template.render({"workflow": {"input": {"n": 1}}}) == {"n": 1, "fixed": [1]}
    assert template.render({"workflow": {"input": {"n": 2}}}) == {"n": 2, "fixed": [1]}


def test_a_value_nested_without_end_is_refused() -> None:
    value: Json = "${a}"
    for _ in range(100_000):
        value = [value]

    with pytest.raises(BadExpression, match="nested too deeply"):
        substitute(value, {})


def test_a_text_of_countless_openings_is_read_in_one_pass() -> None:
    text = "${" * 200_000

    assert substitute(text, {}) == text


def test_references_tell_where_each_expression_stands_and_what_it_starts_with() -> None:
    value = {
        "url": "http://${host.output.name}/${workflow.input.${key.output.k}}",
        "my list": [{"x": "${b__1.output}"}],
    }

    assert [(found.text, found.path, found.root) for found in references(value, "$.inputParameters")] == [
        ("host.output.name", "$.inputParameters.url", "host"),
        ("workflow.input.${key.output.k}", "$.inputParameters.url", "workflow"),
        ("key.output.k", "$.inputParameters.url", "key"),
        ("b__1.output", "$.inputParameters['my list'][0].x", "b__1"),
    ]


@pytest.mark.parametrize(
    ("written", "root"),
    [
        ("${$.a.b}", "$"),
        ("${@.a.b}", "@"),
        ("${['a b'].c}", "a b"),
        ("${a}", "a"),
        ("${${x.y}.z}", None),
        ("${workflow.secrets.k}", "workflow"),
    ],
)
def test_the_root_is_what_registration_compares(written: str, root: str | None) -> None:
    assert next(references(written)).root == root


@pytest.mark.parametrize(
    "written", ["${}", "${ }", "${ a.b}", "${a b.c}", "${a.list[(@.length-1)]}", "${a.f(x)}", "${a[}", "${a.}"]
)
def test_a_faulty_expression_is_reported(written: str) -> None:
    assert next(references(written)).fault


@pytest.mark.parametrize(
    "written", ["${a.b}", "${a['my key']}", "${a[?(@.x > 1)]}", "${a.${b.c}}", "${workflow.env.X}"]
)
def test_a_sound_expression_has_no_fault(written: str) -> None:
    assert all(found.fault is None for found in references(written))


def test_escaped_and_unclosed_ones_are_no_references() -> None:
    assert list(references({"a": "$${x.y}", "b": "${x.y", "c": 3})) == []


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("${a.b}", True),
        ("x ${a}", True),
        ("$${a.b}", False),
        ("${a", False),
        ("COMPLETED", False),
        (3, False),
        (["${a}"], False),
    ],
)
def test_an_expression_is_recognised(value: Json, answer: bool) -> None:
    assert is_expression(value) is answer


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ("${workflow.secrets.token}", "s3cret"),
        ("Bearer ${workflow.secrets.token}", "Bearer s3cret"),
        ("${workflow.secrets.login.user}", "ann"),
        ("${workflow.secrets.unknown}", None),
        ("<${workflow.secrets.unknown}>", "<>"),
        ("${workflow.input.n} ${workflow.secrets.token}", "${workflow.input.n} s3cret"),
        ({"a": ["${workflow.secrets.token}", 1]}, {"a": ["s3cret", 1]}),
    ],
)
def test_secrets_are_revealed_late_and_nothing_else_is(written: Json, result: Json) -> None:
    secrets = {"token": "s3cret", "login": '{"user": "ann"}'}

    assert reveal(written, written, secrets.get) == result


@pytest.mark.parametrize(
    ("written", "value", "result"),
    [
        ("${workflow.input.x}", "${workflow.secrets.token}", "${workflow.secrets.token}"),
        (
            {"a": "${workflow.input.x}"},
            {"a": {"b": "${workflow.secrets.token}"}},
            {"a": {"b": "${workflow.secrets.token}"}},
        ),
        (
            "${workflow.secrets.token} ${workflow.input.x}",
            "${workflow.secrets.token} ${workflow.secrets.login}",
            "s3cret ${workflow.secrets.login}",
        ),
        ({}, {"more": "${workflow.secrets.token}"}, {"more": "${workflow.secrets.token}"}),
        (
            ["${workflow.secrets.token}"],
            ["${workflow.secrets.token}", "${workflow.secrets.token}"],
            ["s3cret", "${workflow.secrets.token}"],
        ),
        ("${workflow.secrets.token}", 7, 7),
    ],
)
def test_data_that_looks_like_a_secret_does_not_get_one(written: Json, value: Json, result: Json) -> None:
    secrets = {"token": "s3cret", "login": '{"user": "ann"}'}

    assert reveal(value, written, secrets.get) == result
