"""Publishing in batches: everything is sent, then one wait for the broker to confirm it all."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from pika import frame, spec
from pika.channel import Channel

from engine.broker.amqp_connection import AmqpChannel, AmqpConnection, ChannelClosed
from engine.broker.amqp_encoding import joined, publish_frames
from engine.broker.inbox import DELETED_SECONDS
from engine.broker.port import Unsendable
from engine.broker.topology import EXCHANGES, Exchange, may_declare
from engine.errors import BrokerUnavailable
from engine.model.payload import Json
from engine.wire.message import Message

#: How often a message may find its queue or exchange missing although we have just declared it.
_ROUNDS = 5

_TOO_LARGE = re.compile(r"larger than configured max size (\d+)")
_NO_EXCHANGE = re.compile(r"no exchange '(.*)' in vhost")


class Publication:
    """The book of one batch: which messages are out, and what the broker said about each."""

    def __init__(self, messages: Sequence[Message], first_tag: int) -> None:
        #: Messages that the broker has not answered yet, by their number on the channel, in that order.
        self.unanswered = dict(enumerate(messages, first_tag))
        self.refused: list[Message] = []
        self._returned: dict[int, Message] = {}

    @property
    def undone(self) -> list[Message]:
        """Messages to publish again: those that found no queue, and those that were never answered."""
        unanswered = [message for tag, message in self.unanswered.items() if tag not in self._returned]
        return [*self._returned.values(), *unanswered]

    def answer(self, tag: int, *, multiple: bool, taken: bool) -> None:
        """Note a confirm (or a refusal) of message ``tag``, or of every one up to it."""
        if not multiple:
            tags = [tag]
        else:
            tags = []
            for number in self.unanswered:
                if number > tag:
                    break
                tags.append(number)
        for number in tags:
            message = self.unanswered.pop(number, None)
            if message is not None and not taken:
                self.refused.append(message)

    def give_back(self, queue: str, body: bytes) -> None:
        """Note a message that found no queue; the broker says so before it confirms that message."""
        for tag, message in self.unanswered.items():
            if message.queue == queue and tag not in self._returned and message.body == body:
                self._returned[tag] = message
                return


class Publisher:
    """One channel in confirm mode; ``declare`` makes the queue of a name when it turns out to be missing.

    ``declare_exchange`` does the same for one of our exchanges.
    """

    def __init__(
        self,
        connection: AmqpConnection,
        declare: Callable[[str], None],
        declare_exchange: Callable[[Exchange], None],
    ) -> None:
        self._connection = connection
        self._declare = declare
        self._declare_exchange = declare_exchange
        #: Queues that were there when something was published to them.
        self._met: set[str] = set()
        self._channel = self._open()

    def publish(self, messages: Sequence[Message]) -> None:
        """See ``Broker.publish``."""
        faults: list[tuple[Message, str]] = []
        for _ in range(_ROUNDS):
            if not messages:
                break
            messages = self._declare_missing(self._round(messages, faults), faults)
        if messages:
            missing = messages[0].exchange or messages[0].queue
            raise BrokerUnavailable(f"{missing!r} is missing although it has just been declared")
        if faults:
            raise Unsendable(faults)

    def _open(self) -> AmqpChannel:
        channel = AmqpChannel(self._connection)
        self._publication = Publication((), 1)
        self._next_tag = 1
        self._confirmed: Future[None] | None = None

        def confirm(pika: Channel, answer: Callable[[Json], None]) -> None:
            pika.add_on_return_callback(self._on_return)
            pika.confirm_delivery(ack_nack_callback=self._on_answer, callback=answer)

        channel.ask(confirm)
        channel.confirm(self._answer)
        return channel

    def _round(self, messages: Sequence[Message], faults: list[tuple[Message, str]]) -> list[Message]:
        """Publish once; return the messages to publish again, after the declaration of their queues."""
        pieces, sendable = self._encode(messages, faults)
        if not sendable:
            return []
        publication = Publication(sendable, self._next_tag)
        try:
            self._send(publication, pieces)
        except ChannelClosed as closed:
            self._channel = self._open()
            faults.extend(self._reasons(closed, publication))
            faulty = {id(message) for message, _ in faults}
            return [message for message in publication.undone if id(message) not in faulty]
        if publication.refused:
            queues = dict(Counter(message.queue for message in publication.refused))
            raise BrokerUnavailable(f"The broker refused messages for these queues, full or failing: {queues}")
        undone = publication.undone
        missing = {message.queue for message in undone}
        self._met.update(message.queue for message in sendable if message.queue not in missing and may_declare(message))
        return undone

    def _encode(
        self, messages: Sequence[Message], faults: list[tuple[Message, str]]
    ) -> tuple[list[bytes], list[Message]]:
        number, frame_size = self._channel.number, self._connection.frame_size
        pieces: list[bytes] = []
        sendable = []
        for message in messages:
            try:
                pieces.extend(publish_frames(message, number, frame_size))
            except ValueError as error:
                faults.append((message, str(error)))
            else:
                sendable.append(message)
        return pieces, sendable

    def _send(self, publication: Publication, pieces: Sequence[bytes]) -> None:
        self._next_tag += len(publication.unanswered)
        channel = self._channel

        def start(future: Future[None]) -> None:
            self._publication = publication
            self._confirmed = future
            channel.expect(future)
            if not future.done():
                self._connection.write(tuple(joined(pieces)))

        self._connection.run(start)

    def _declare_missing(self, messages: list[Message], faults: list[tuple[Message, str]]) -> list[Message]:
        """Declare the queues of messages to publish again; leave out those whose reader has gone."""
        wanted = [message for message in messages if message.exchange or may_declare(message)]
        queues = dict.fromkeys(message.queue for message in wanted if not message.exchange)
        if not self._met.isdisjoint(queues):
            # Some were deleted just now; there is no sign of when the broker is through with their consumers.
            time.sleep(DELETED_SECONDS)
            self._met.difference_update(queues)
        refusals: dict[str, str] = {}
        for queue in queues:
            try:
                self._declare(queue)
            except ChannelClosed as closed:
                refusals[queue] = f"its queue is missing and cannot be declared: {closed}"
        faults.extend((message, refusals[message.queue]) for message in wanted if message.queue in refusals)
        return [message for message in wanted if message.queue not in refusals]

    def _reasons(self, closed: ChannelClosed, publication: Publication) -> list[tuple[Message, str]]:
        """Return the messages for which the broker closed the channel, each with what is wrong with it.

        An exchange of ours that was missing is declared: then nothing is wrong. Raises ``BrokerUnavailable`` when the
        messages are not to blame.
        """
        unanswered = publication.unanswered.values()
        too_large = _TOO_LARGE.search(closed.text)
        if too_large:
            limit = int(too_large[1])
            return [
                (message, f"its {len(message.body)} bytes are more than the {limit} that the broker takes")
                for message in unanswered
                if len(message.body) > limit
            ]
        missing = _NO_EXCHANGE.search(closed.text)
        if not missing:
            raise BrokerUnavailable(f"The broker closed the channel for publishing: {closed}")
        reason = self._refusal_of_exchange(missing[1])
        return [(message, reason) for message in unanswered if reason and message.exchange == missing[1]]

    def _refusal_of_exchange(self, name: str) -> str | None:
        """Declare a missing exchange if it is one of ours; return why there is none."""
        if name not in EXCHANGES:
            return f"there is no exchange {name!r}"
        try:
            self._declare_exchange(EXCHANGES[name])
        except ChannelClosed as closed:
            return f"its exchange {name!r} is missing and cannot be declared: {closed}"
        return None

    def _on_answer(self, answer: frame.Method) -> None:
        method = answer.method
        self._answer(method.delivery_tag, method.multiple, not isinstance(method, spec.Basic.Nack))

    def _answer(self, tag: int, multiple: bool, taken: bool) -> None:
        self._publication.answer(tag, multiple=multiple, taken=taken)
        if not self._publication.unanswered and self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_result(None)

    def _on_return(self, _: Channel, method: spec.Basic.Return, __: object, body: bytes) -> None:
        self._publication.give_back(method.routing_key, body)
