"""Where notices go, as definitions and settings write it: an HTTP address, or a queue or exchange of the broker."""

from __future__ import annotations

import re
from typing import Final, TypeAlias
from urllib.parse import parse_qs, parse_qsl, urlsplit

from msgspec import Struct

from engine.errors import BadMessage
from engine.masking import masked
from engine.wire.message import is_engines_own

#: Bytes of a queue's or exchange's name and of a routing key, as AMQP allows.
_LONGEST_NAME: Final = 255

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

#: Stands in the fragment for the secret with which the body is signed, in place of a header's name.
_SIGNATURE: Final = "signature"


class HttpSink(Struct, frozen=True, kw_only=True):
    """An address that takes POST; ``headers`` are names with the names of the secrets that are their values."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    #: The name of the secret with which the body is signed.
    signed_with: str | None = None


class QueueSink(Struct, frozen=True, kw_only=True):
    """A queue of the engine's broker."""

    name: str


class ExchangeSink(Struct, frozen=True, kw_only=True):
    """An exchange of the engine's broker; without a routing key the topic of the notice is it."""

    name: str
    routing_key: str | None = None


Sink: TypeAlias = HttpSink | QueueSink | ExchangeSink


def read_sink(text: str) -> Sink:
    """Return what a sink is: ``https://…``, ``amqp_queue:<name>`` or ``amqp_exchange:<name>?routingKey=<key>``.

    An address may name secrets behind ``#``, which are never part of what is stored or called:
    ``https://host/path#Authorization=<secret>&signature=<secret>``. Raises ``BadMessage``.
    """
    kind, _, rest = text.strip().partition(":")
    match kind.lower():
        case "http" | "https":
            return _http(text.strip())
        case "amqp_queue":
            return QueueSink(name=_queue_name(rest))
        case "amqp_exchange":
            name, _, query = rest.partition("?")
            key = parse_qs(query).get("routingKey", [None])[0]
            return ExchangeSink(name=_exchange_name(name), routing_key=key)
        case _:
            raise BadMessage(
                f"{masked(text)[:200]!r} is no sink: write https://host/path, amqp_queue:<name> or amqp_exchange:<name>"
            )


def _http(text: str) -> HttpSink:
    url, _, fragment = text.partition("#")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or any(character.isspace() for character in url):
        raise BadMessage(f"{masked(url)[:200]!r} is no address that can be called: write https://host/path")
    pairs = parse_qsl(fragment, keep_blank_values=True)
    for name, secret in pairs:
        if not _HEADER_NAME.fullmatch(name) or not secret:
            raise BadMessage(f"{name[:100]!r} behind the '#' of a sink must be <header>=<name of a secret>")
    signed_with = next((secret for name, secret in pairs if name.lower() == _SIGNATURE), None)
    headers = tuple((name, secret) for name, secret in pairs if name.lower() != _SIGNATURE)
    return HttpSink(url=url, headers=headers, signed_with=signed_with)


def _queue_name(name: str) -> str:
    if is_engines_own(name):
        raise BadMessage(f"the queue {name[:100]!r} is the engine's or the broker's own: name one of yours")
    return _named(name)


def _exchange_name(name: str) -> str:
    if name.startswith("baton."):
        raise BadMessage(f"the exchange {name[:100]!r} is the engine's own: name one of yours")
    return _named(name)


def _named(name: str) -> str:
    if not name or len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        raise BadMessage(f"a queue or exchange needs a name of at most {_LONGEST_NAME} bytes")
    return name
