"""One attempt to bring a notice to its sink, over HTTP or through the broker."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from engine.broker.port import Broker, Unsendable
from engine.errors import BadMessage
from engine.outgoing.posting import NotTaken, post
from engine.store.notice_port import HeldNotice
from engine.wire.fields import write_json
from engine.wire.message import Message
from engine.wire.notice import Notice
from engine.wire.sink import ExchangeSink, HttpSink, QueueSink, read_sink

#: How long a sink may keep others waiting that takes what it gets, but slowly.
TURN_SECONDS: Final = 20.0


class Attempt(Struct):
    """A notice that is under way, and why it was not taken, if so."""

    notice: Notice
    #: What is known of it, where it was held before.
    held: HeldNotice | None
    failure: str | None = None
    #: No further attempt can help.
    final: bool = False

    @property
    def reason(self) -> str:
        """Why it was not taken."""
        return self.failure or ""

    def fail(self, reason: str, *, final: bool = False) -> None:
        """Note why it was not taken."""
        self.failure, self.final = reason, final


class Courier:
    """Calls addresses and publishes to queues; ``secrets`` finds what sinks name."""

    def __init__(self, broker: Broker, secrets: Callable[[str], str | None], timeout_seconds: float) -> None:
        self._broker = broker
        self._secrets = secrets
        self._timeout_seconds = timeout_seconds

    def is_called(self, attempt: Attempt) -> bool:
        """Return whether the sink of an attempt is an address."""
        return attempt.notice.sink.lower().startswith(("http://", "https://"))

    def call(self, attempts: Sequence[Attempt]) -> None:
        """Post notices to their one sink, one after the other; once it fails for now, the others fail with it.

        So they do when it is so slow that their turn does not come within ``TURN_SECONDS``.
        """
        failed: NotTaken | None = None
        begun = time.monotonic()
        for attempt in attempts:
            if failed is None and time.monotonic() - begun > TURN_SECONDS:
                failed = NotTaken(f"it is slow: those before took {TURN_SECONDS:g} s")
            if failed is None:
                failed = self._post(attempt)
            else:
                attempt.fail(str(failed))

    def _post(self, attempt: Attempt) -> NotTaken | None:
        """Post one; return the failure if it concerns the others too."""
        try:
            sink = read_sink(attempt.notice.sink)
            assert isinstance(sink, HttpSink)
            body = write_json(attempt.notice.document)
            post(sink.url, body, self._headers(attempt.notice, sink, body), self._timeout_seconds)
        except BadMessage as error:
            attempt.fail(str(error), final=True)
        except NotTaken as error:
            attempt.fail(str(error), final=error.final)
            return None if error.final else error
        except Exception as error:  # a notice that makes the client fail must not take its neighbours along
            attempt.fail(f"{type(error).__name__}: {error}", final=True)
        return None

    def _headers(self, notice: Notice, sink: HttpSink, body: bytes) -> dict[str, str]:
        headers = {"Idempotency-Key": notice.id.encode("ascii", "backslashreplace").decode()}
        headers |= {name: self._secret(secret) for name, secret in sink.headers}
        if sink.signed_with is not None:
            headers["Baton-Signature"] = signature(self._secret(sink.signed_with), body, int(time.time()))
        return headers

    def _secret(self, name: str) -> str:
        value = self._secrets(name)
        if value is None:
            raise NotTaken(f"the secret {name[:100]!r} is not known here: set BATON_SECRET_{name[:100]}")
        return value

    def publish(self, attempts: Sequence[Attempt]) -> None:
        """Publish notices to queues and exchanges, with the broker's confirm."""
        messages: dict[int, Attempt] = {}
        outgoing = []
        for attempt in attempts:
            try:
                message = _message(attempt.notice)
            except BadMessage as error:
                attempt.fail(str(error), final=True)
                continue
            outgoing.append(message)
            messages[id(message)] = attempt
        if not outgoing:
            return
        try:
            self._broker.publish(outgoing)
        except Unsendable as error:
            for message, reason in error.faults:
                messages[id(message)].fail(reason)


def signature(secret: str, body: bytes, at: int) -> str:
    """Return the header that lets a receiver check who sent a body, and when: ``t=<seconds>,v1=<HMAC-SHA256>``."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _message(notice: Notice) -> Message:
    sink = read_sink(notice.sink)
    body = write_json(notice.document)
    match sink:
        case QueueSink():
            return Message(queue=sink.name, body=body, message_id=notice.id)
        case ExchangeSink():
            key = notice.topic if sink.routing_key is None else sink.routing_key
            return Message(exchange=sink.name, queue=key, body=body, message_id=notice.id)
        case HttpSink():
            raise BadMessage(f"{sink.url!r} is called, not published to")
