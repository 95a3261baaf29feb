"""What is no JSON is told by line and column, with what was probably meant."""

from __future__ import annotations

import pytest

from engine.errors import BadMessage
from engine.wire.fields import read_json
from engine.wire.json_text import parse_text


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ('{"a": 1, // one\n "b": 2}', "line 1, column 10", "JSON has no comments"),
        ("/* a flow */ {}", "line 1, column 1", "JSON has no comments"),
        ('{"a": 1,\n # two\n}', "line 2, column 2", "JSON has no comments"),
        ("{'a': 1}", "line 1, column 2", "double quotes"),
        ("{\u201ca\u201d: 1}", "line 1, column 2", "typographic quotes"),
        ('{"a": "x\ny"}', "line 1, column 9", r"a line break is written \n"),
        ('{"a": True}', "line 1, column 7", "write true, false and null"),
        ("name: flow\ntasks: []\n", "line 1, column 1", "looks like YAML"),
        ("- name: flow\n", "line 1, column 1", "looks like YAML"),
    ],
)
def test_it_is_told_where_json_ends_and_what_was_meant(text, where, hint):
    for read in (lambda: parse_text(text, "the file"), lambda: read_json(text.encode(), "the body")):
        with pytest.raises(BadMessage) as refused:
            read()
        assert where in str(refused.value)
        assert hint in str(refused.value)


@pytest.mark.parametrize("text", ['{"a": [1, 2,]}', '{"a": 1,\n}'])
def test_a_comma_behind_the_last_element_is_named(text):
    with pytest.raises(BadMessage, match="comma"):
        read_json(text.encode(), "the body")


@pytest.mark.parametrize("body", ['{"a": "é"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16")])
def test_another_encoding_is_named(body):
    with pytest.raises(BadMessage, match="it is not text in UTF-8"):
        read_json(body, "the body")


def test_a_byte_order_mark_is_left_out():
    assert read_json(b"\xef\xbb\xbf[1]", "the body") == [1]
