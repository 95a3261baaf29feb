"""The quarantine: keeps a message that kills every process that takes it in hand from killing for ever.

A batch dies with its process, and the broker hands all of it out again: its redelivery counts tell nothing about who
is to blame, neighbours have the same ones, and so has all that was only fetched. So what comes back is written down
before it is carried, and crossed out afterwards. A line by a process that is no more means that it died with this
message in hand. Such a message is carried alone from then on, so that the lines of innocents grow no further; and when
it has cost ``crash_limit`` processes, it is set aside.

What comes for the first time is not written down: it costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from engine.broker.dead_letter import letter_id
from engine.clock import Clock
from engine.errors import Transient
from engine.log import get_logger
from engine.store.port import InHand, Store
from engine.wire.message import Delivery
from engine.wire.start_message import KIND_HEADER

log = get_logger(__name__)


class Portion(Struct, frozen=True, kw_only=True):
    """Deliveries that are carried in one go.

    ``digests`` name those that came back, each in its place; ``deaths`` is how many processes have died with the
    message in hand, and is 0 for every portion of more than one.
    """

    deliveries: tuple[Delivery, ...]
    digests: tuple[str, ...] = ()
    deaths: int = 0


def digest(delivery: Delivery) -> str:
    """Return what tells a message from all others, whoever receives it and how often."""
    message = delivery.message
    parts = (delivery.queue, message.message_id, message.correlation_id, str(message.headers.get("id")))
    found = hashlib.sha256("\0".join(str(part) for part in parts).encode("utf-8", "surrogatepass"))
    found.update(message.body)
    return found.hexdigest()


def portions(held: Sequence[Delivery], digests: Sequence[str], deaths: Mapping[str, int]) -> Iterator[Portion]:
    """Yield what to carry, in the order in which it is held.

    ``held`` begins with what came back, for each of which there is a digest. Those without deaths go together, those
    with deaths alone, and all that is new goes together.
    """
    together: list[int] = []
    for place, name in enumerate(digests):
        if not deaths.get(name):
            together.append(place)
            continue
        if together:
            yield _portion(held, digests, together)
            together = []
        yield Portion(deliveries=(held[place],), digests=(name,), deaths=deaths[name])
    if together:
        yield _portion(held, digests, together)
    if len(held) > len(digests):
        yield Portion(deliveries=tuple(held[len(digests) :]))


def _portion(held: Sequence[Delivery], digests: Sequence[str], places: Sequence[int]) -> Portion:
    return Portion(deliveries=tuple(held[place] for place in places), digests=tuple(digests[place] for place in places))


class Quarantine:
    """What one process has in hand of messages that came back, on its own account and for those after it."""

    def __init__(self, store: Store, clock: Clock, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        #: Digests of what this process has written down.
        self._written: set[str] = set()
        #: Digests of what is done and is still to be crossed out.
        self._done: set[str] = set()

    def portions(self, held: list[Delivery]) -> list[Portion]:
        """Return what to carry, one portion after the other; ``held`` is put into that order.

        Nothing is overtaken within a queue: what comes back stands before what is new there.
        """
        if not any(delivery.redelivered for delivery in held):
            return [Portion(deliveries=tuple(held))] if held else []
        held.sort(key=lambda delivery: not delivery.redelivered)
        digests = [digest(delivery) for delivery in held if delivery.redelivered]
        with self._store.transaction() as transaction:
            deaths = transaction.deaths(digests, self._owner)
        return list(portions(held, digests, deaths))

    def take(self, portion: Portion) -> None:
        """Write down what is about to be carried."""
        found = dict(zip(portion.digests, portion.deliveries, strict=False))
        lines = [
            InHand(message=name, owner=self._owner, queue=each.queue, label=_label(each), at=self._clock.now())
            for name, each in found.items()
            if name not in self._written
        ]
        if not lines:
            return
        with self._store.transaction() as transaction:
            transaction.take_in_hand(lines)
        self._written.update(line.message for line in lines)

    def let_go(self, portion: Portion) -> None:
        """Cross out what has been carried, at the next opportunity where the database is away just now."""
        if not portion.digests:
            return
        self._done.update(portion.digests)
        try:
            with self._store.transaction() as transaction:
                transaction.let_go(self._done)
        except Transient as error:
            log.warning("quarantine.not_crossed_out", messages=len(self._done), reason=str(error))
            return
        self._written -= self._done
        self._done = set()

    def let_all_go(self) -> None:
        """Cross out everything of this process: it lives, and what it had in hand goes to others."""
        if not self._written:
            return
        try:
            with self._store.transaction() as transaction:
                transaction.let_all_go(self._owner)
        except Transient as error:
            log.warning("quarantine.not_crossed_out", messages=len(self._written), reason=str(error))
            return
        self._written = set()
        self._done = set()


def _label(delivery: Delivery) -> str:
    """Return what people may know a message by."""
    message = delivery.message
    kind = message.headers.get(KIND_HEADER) or "message"
    return f"{kind} {message.message_id or message.correlation_id or letter_id(message)}"
