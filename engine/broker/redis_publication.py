"""One publication to Redis: all its messages in as few commands as possible, and one wait for all answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from redis.exceptions import ResponseError

from engine.broker import topology
from engine.broker.redis_envelope import MOST_BYTES, encode, list_of
from engine.broker.redis_news import channel_of
from engine.broker.redis_scripts import DECLARE, OFFER
from engine.broker.redis_session import RedisSession
from engine.wire.message import Message

#: Messages and bytes that one command carries; Redis ends a line on which a gigabyte waits to be read.
_MOST_MESSAGES = 500
_MOST_BYTES_AT_ONCE = 16 * 1024 * 1024

#: For how long an answer is kept of whose reader Redis knows nothing.
_KEPT_SECONDS = 60

#: How Redis begins its refusal when a queue's name is that of a key which is no list.
_NO_LIST = "WRONGTYPE"


_Command = Sequence[str | bytes | int]


class _Parcel(Struct):
    """Messages that one command carries, with their payloads."""

    messages: list[Message]
    payloads: list[bytes]
    size: int


class Publication:
    """What is to be sent; ``faults`` are the messages that Redis will never take, each with the reason."""

    def __init__(self, messages: Sequence[Message], database: int) -> None:
        self._messages = messages
        self._database = database
        self.faults: list[tuple[Message, str]] = []

    def send(self, session: RedisSession) -> None:
        """Send all and wait until Redis has answered; raise ``RedisError`` when it refuses for now, or is lost."""
        parcels = list(self._parcels())
        declared = sorted({m.queue for parcel in parcels for m in parcel.messages if topology.may_declare(m)})
        declaring: list[_Command] = [("EVAL", DECLARE, 0, *declared)] if declared else []
        answers = session.ask([*declaring, *(self._command(parcel) for parcel in parcels)])
        for parcel, answer in zip([*(None for _ in declaring), *parcels], answers, strict=True):
            if parcel and isinstance(answer, ResponseError) and _NO_LIST in str(answer):
                self.faults += [(message, "Redis keeps something else under this name") for message in parcel.messages]
            elif isinstance(answer, ResponseError):
                raise answer

    def _command(self, parcel: _Parcel) -> _Command:
        first = parcel.messages[0]
        if first.exchange:
            return "PUBLISH", channel_of(first.exchange, first.queue, self._database), parcel.payloads[0]
        if topology.may_declare(first):
            return "LPUSH", list_of(first), *parcel.payloads
        return "EVAL", OFFER, 0, _KEPT_SECONDS, first.queue, *parcel.payloads

    def _parcels(self) -> Iterator[_Parcel]:
        """Yield what goes into one list together; messages for the same list stay in their order."""
        open_parcels: dict[tuple[str, bool], _Parcel] = {}
        for message in self._messages:
            payload = self._payload(message)
            if payload is None:
                continue
            if message.exchange:
                yield _Parcel([message], [payload], len(payload))
                continue
            declared = topology.may_declare(message)
            key = list_of(message) if declared else message.queue, declared
            parcel = open_parcels.get(key)
            if parcel and (len(parcel.payloads) >= _MOST_MESSAGES or parcel.size + len(payload) > _MOST_BYTES_AT_ONCE):
                yield open_parcels.pop(key)
                parcel = None
            if parcel is None:
                parcel = open_parcels[key] = _Parcel([], [], 0)
            parcel.messages.append(message)
            parcel.payloads.append(payload)
            parcel.size += len(payload)
        yield from open_parcels.values()

    def _payload(self, message: Message) -> bytes | None:
        """Write a message down, or note why that cannot be."""
        reason = self._objection(message)
        if reason is None:
            try:
                payload = encode(message)
            except (TypeError, ValueError, RecursionError) as error:
                reason = f"its headers cannot be written as JSON: {error}"
            else:
                if len(payload) <= MOST_BYTES:
                    return payload
                reason = f"its {len(payload)} bytes are more than the {MOST_BYTES} that Redis takes"
        self.faults.append((message, reason))
        return None

    @staticmethod
    def _objection(message: Message) -> str | None:
        if message.exchange and message.exchange not in topology.EXCHANGES:
            return f"there is no exchange {message.exchange!r}"
        return None if message.queue or message.exchange else "it names no queue"
