"""Messages that came back to the road, and which process has them in hand: what shows whom a message has killed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from engine.clock import after
from engine.store.batch import Batch
from engine.store.codec import storable
from engine.store.port import WEEK_SECONDS, InHand
from engine.store.schema import in_hand

#: Characters of what a message is known by, and of the name of its queue; only people read them.
_WORDS: Final = 255


class Hands:
    """The part of a transaction that remembers who has what in hand."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def take_in_hand(self, lines: Sequence[InHand]) -> None:
        """See ``Transaction.take_in_hand``."""
        if not lines:
            return
        oldest = after(lines[0].at, -WEEK_SECONDS)
        self._connection.execute(delete(in_hand).where(in_hand.c.at < oldest))
        rows = [
            {
                "message": line.message,
                "owner": line.owner,
                "queue": storable(line.queue)[:_WORDS],
                "label": storable(line.label)[:_WORDS],
                "at": line.at,
            }
            for line in lines
        ]
        self._connection.execute(insert(in_hand), rows)

    def deaths(self, messages: Collection[str], owner: str) -> dict[str, int]:
        """See ``Transaction.deaths``."""
        query = (
            select(in_hand.c.message, func.count())
            .where(self._batch.among(in_hand.c.message, messages), in_hand.c.owner != owner)
            .group_by(in_hand.c.message)
        )
        return dict(self._connection.execute(query).all())

    def let_go(self, messages: Collection[str]) -> None:
        """See ``Transaction.let_go``."""
        self._connection.execute(delete(in_hand).where(self._batch.among(in_hand.c.message, messages)))

    def let_all_go(self, owner: str) -> None:
        """See ``Transaction.let_all_go``."""
        self._connection.execute(delete(in_hand).where(in_hand.c.owner == owner))

    def all_in_hand(self) -> tuple[InHand, ...]:
        """See ``Transaction.all_in_hand``."""
        columns = in_hand.c
        query = select(columns.message, columns.owner, columns.queue, columns.label, columns.at)
        found = self._connection.execute(query.order_by(columns.at, columns.message, columns.owner))
        return tuple(
            InHand(message=message, owner=owner, queue=queue, label=label, at=at)
            for message, owner, queue, label, at in found
        )
