"""News of runs, there and back."""

from __future__ import annotations

import pytest

from engine.errors import BadMessage
from engine.wire.message import Delivery, Message
from engine.wire.news import NEWS_KEY, Changed, decode_news, encode_news


def read(body: bytes) -> tuple[Changed, ...]:
    return decode_news(Delivery(message=Message(queue=NEWS_KEY, body=body), queue="ear"))


def test_news_of_several_runs_is_read_as_it_was_written() -> None:
    runs = (Changed("r", "w", 3, "RUNNING", False), Changed("é", "v", 1, "FAILED", True))
    assert read(encode_news(runs).body) == runs


def test_what_a_later_version_adds_is_left_unread() -> None:
    assert read(b'{"runs": [["r", "w", 3, "A_NEW_ONE", true, "more"]], "at": 1}')[0].version == 3


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"runs": [["r"]]}', b'{"runs": [["r", "w", "3", "GONE", true]]}', b"\xff"]
)
def test_what_is_no_news_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(BadMessage):
        read(body)
