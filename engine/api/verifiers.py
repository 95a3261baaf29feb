"""How senders of events prove who they are: each way compares in constant time, and none tells what was wrong."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from engine.errors import BatonError
from engine.model.webhook import HEADER, HMAC, SIGNATURE, SLACK, STRIPE, Webhook

#: Seconds by which a signed moment may differ from now: what is older may be a copy of an earlier event.
TOLERANCE: Final = 300

#: Finds a secret by its name.
Secrets = Callable[[str], str | None]

_PREFIX, _SUFFIX = "${workflow.secrets.", "}"


class Unverified(BatonError):
    """The sender has not proved who it is; the text is for our own log."""


def secret_name(value: str | None) -> str | None:
    """Return the name in ``${workflow.secrets.NAME}``, None for anything else."""
    if value and value.startswith(_PREFIX) and value.endswith(_SUFFIX):
        return value[len(_PREFIX) : -len(_SUFFIX)] or None
    return None


def verify(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: int, secrets: Secrets) -> None:
    """Return when the sender of this request is who the webhook expects; raise ``Unverified`` otherwise.

    ``headers`` have their names in lower case, ``now`` is in seconds.
    """
    match webhook.verifier:
        case v if v == HEADER:
            # Every one is compared, so that the time tells nothing.
            right = [_same(headers.get(name.lower(), ""), _secret(value, secrets)) for name, value in _pairs(webhook)]
            _expect(bool(right) and all(right), "a header is missing or has another value")
        case v if v in (SIGNATURE, HMAC):
            given = headers.get(str(webhook.header_key).lower(), "")
            _expect(_is_digest(given, _digest(webhook, body, secrets)), f"{webhook.header_key} does not fit the body")
        case v if v == SLACK:
            at = headers.get("x-slack-request-timestamp", "")
            _expect_recent(at, now)
            expected = "v0=" + _digest(webhook, b"v0:" + at.encode() + b":" + body, secrets).hex()
            _expect(_same(headers.get("x-slack-signature", ""), expected), "x-slack-signature does not fit the body")
        case v if v == STRIPE:
            _stripe(webhook, headers.get((webhook.header_key or "Stripe-Signature").lower(), ""), body, now, secrets)
        case _:
            raise Unverified(f"the verifier {webhook.verifier!r} is not known")


def _stripe(webhook: Webhook, given: str, body: bytes, now: int, secrets: Secrets) -> None:
    pairs = [part.strip().partition("=") for part in given.split(",")]
    at = next((value for name, _, value in pairs if name == "t"), "")
    _expect_recent(at, now)
    expected = _digest(webhook, at.encode() + b"." + body, secrets).hex()
    # There may be several, while the secret is being changed.
    right = [_same(value, expected) for name, _, value in pairs if name == "v1"]
    _expect(any(right), "no v1 of the signature fits the body")


def _pairs(webhook: Webhook) -> list[tuple[str, str]]:
    return list(webhook.headers.items())


def _secret(value: str | None, secrets: Secrets) -> str:
    name = secret_name(value)
    found = secrets(name) if name else None
    if not found:
        raise Unverified(f"the secret {name!r} is not known to this server: set BATON_SECRET_{name}")
    return found


def _digest(webhook: Webhook, content: bytes, secrets: Secrets) -> bytes:
    return hmac.new(_secret(webhook.secret_value, secrets).encode(), content, hashlib.sha256).digest()


def _is_digest(given: str, digest: bytes) -> bool:
    """Return whether a header is this digest, as hex or base64, with or without ``sha256=`` before it."""
    text = given.strip().removeprefix("sha256=")
    if len(text) == 2 * len(digest):
        return _same(text.lower(), digest.hex())
    try:
        return hmac.compare_digest(base64.b64decode(text, validate=True), digest)
    except (binascii.Error, ValueError):
        return False


def _expect_recent(at: str, now: int) -> None:
    recent = at.isascii() and at.isdigit() and len(at) < 12 and abs(now - int(at)) <= TOLERANCE
    _expect(recent, f"the signed moment is more than {TOLERANCE} s away, or missing")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise Unverified(otherwise)
