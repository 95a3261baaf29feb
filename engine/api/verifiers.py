"""How senders of events prove who they are: each way compares in constant time, and none tells what was wrong."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final

from engine.api.sendgrid_signature import is_signed, read_key
from engine.errors import BadConfiguration, BatonError
from engine.model.webhook import HEADER, HMAC, SENDGRID, SIGNATURE, SLACK, STRIPE, TWITTER, Webhook

#: Seconds by which a signed moment may differ from now: what is older may be a copy of an earlier event.
TOLERANCE: Final = 300

#: The same for SendGrid, which tries to deliver an event for a day.
_DAY: Final = 86_400

#: What Twitter has us sign to prove that we know the secret. Nothing of this form is an object in JSON, so nobody can
#: have an event signed by asking.
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9+/_-]{1,200}={0,2}")

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
            right = [_is_digest(given, hmac.digest(key, body, "sha256")) for key in _keys(webhook, secrets)]
            _expect(any(right), f"{webhook.header_key} does not fit the body")
        case v if v == SLACK:
            at = headers.get("x-slack-request-timestamp", "")
            _expect_recent(at, now)
            expected = "v0=" + _digest(webhook, b"v0:" + at.encode() + b":" + body, secrets).hex()
            _expect(_same(headers.get("x-slack-signature", ""), expected), "x-slack-signature does not fit the body")
        case v if v == STRIPE:
            _stripe(webhook, headers.get((webhook.header_key or "Stripe-Signature").lower(), ""), body, now, secrets)
        case v if v == TWITTER:
            name = webhook.header_key or "X-Twitter-Webhooks-Signature"
            fits = _is_digest(headers.get(name.lower(), ""), _digest(webhook, body, secrets))
            _expect(fits and body.lstrip().startswith(b"{"), f"{name} does not fit the body, or it is no object")
        case v if v == SENDGRID:
            _sendgrid(webhook, headers, body, now, secrets)
        case _:
            raise Unverified(f"the verifier {webhook.verifier!r} is not known")


def response_token(webhook: Webhook, challenge: str, secrets: Secrets) -> str:
    """Return Twitter's proof that this address knows the secret; raise ``Unverified`` for what is no challenge."""
    _expect(_CHALLENGE.fullmatch(challenge) is not None, "what is to be signed is no challenge")
    return "sha256=" + base64.b64encode(_digest(webhook, challenge.encode(), secrets)).decode()


def _sendgrid(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: int, secrets: Secrets) -> None:
    signature = headers.get((webhook.header_key or "X-Twilio-Email-Event-Webhook-Signature").lower(), "")
    at = headers.get("x-twilio-email-event-webhook-timestamp", "")
    _expect_recent(at, now, _DAY)
    try:
        key = read_key(public_key(webhook, secrets))
    except BadConfiguration as error:
        raise Unverified(str(error)) from None
    right = key is not None and is_signed(key, signature, at.encode() + body)
    _expect(right, "the signature does not fit timestamp and body, or the key is none")


def public_key(webhook: Webhook, secrets: Secrets) -> str:
    """Return SendGrid's key, which may stand in the webhook itself, because everybody may know it."""
    value = webhook.secret_value
    return value if value and secret_name(value) is None else _secret(value, secrets)


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


def _keys(webhook: Webhook, secrets: Secrets) -> list[bytes]:
    """Return what a sender may sign with: the secret, and where it is base64, as for Microsoft Teams, what it holds."""
    secret = _secret(webhook.secret_value, secrets)
    try:
        return [secret.encode(), base64.b64decode(secret, validate=True)]
    except (binascii.Error, ValueError):
        return [secret.encode()]


def _is_digest(given: str, digest: bytes) -> bool:
    """Return whether a header is this digest, as hex or base64, with or without ``sha256=`` or ``HMAC`` before it."""
    text = given.strip().removeprefix("sha256=").removeprefix("HMAC ")
    if len(text) == 2 * len(digest):
        return _same(text.lower(), digest.hex())
    try:
        return hmac.compare_digest(base64.b64decode(text, validate=True), digest)
    except (binascii.Error, ValueError):
        return False


def _expect_recent(at: str, now: int, tolerance: int = TOLERANCE) -> None:
    recent = at.isascii() and at.isdigit() and len(at) < 12 and abs(now - int(at)) <= tolerance
    _expect(recent, f"the signed moment is more than {tolerance} s away, or missing")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise Unverified(otherwise)
