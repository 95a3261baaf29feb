"""The book of a batch says which messages are still to be published."""

from __future__ import annotations

from engine.broker.publisher import Publication
from engine.wire.message import Message


def batch(*bodies: bytes) -> list[Message]:
    return [Message(queue="resize", body=body) for body in bodies]


def test_a_confirm_for_many_covers_all_before_it() -> None:
    publication = Publication(batch(b"1", b"2", b"3"), first_tag=5)

    publication.answer(6, multiple=True, taken=True)

    assert [message.body for message in publication.unanswered.values()] == [b"3"]
    publication.answer(7, multiple=False, taken=True)
    assert publication.undone == []


def test_a_returned_message_is_told_from_its_neighbours() -> None:
    publication = Publication(batch(b"1", b"2", b"2"), first_tag=1)

    publication.give_back("resize", b"2")
    publication.give_back("resize", b"2")
    publication.answer(3, multiple=True, taken=True)

    assert [message.body for message in publication.undone] == [b"2", b"2"]


def test_a_returned_message_counts_once_when_its_confirm_never_came() -> None:
    publication = Publication(batch(b"1", b"2"), first_tag=1)

    publication.give_back("resize", b"1")

    assert sorted(message.body for message in publication.undone) == [b"1", b"2"]


def test_a_refused_message_is_not_published_again() -> None:
    publication = Publication(batch(b"1", b"2"), first_tag=1)

    publication.answer(2, multiple=True, taken=False)

    assert [message.body for message in publication.refused] == [b"1", b"2"]
    assert publication.undone == []
