"""Senders prove who they are as the documentation of GitHub, Slack and Stripe says, and nobody else is let in."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.api.verifiers import Unverified, response_token, verify
from engine.api.webhook_check import check_webhook
from engine.errors import BadDefinition
from engine.model.payload import Json
from engine.model.webhook import Webhook

SECRET = "${workflow.secrets.KEY}"

#: The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
GITHUB = ("It's a Secret to Everybody", b"Hello, World!")
GITHUB_DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

#: The example of https://api.slack.com/authentication/verifying-requests-from-slack.
SLACK_SECRET, SLACK_TIME = "8f742231b10e8888abcd99yyyzzz85a5", 1531420618
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
    b".803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"

STRIPE_TIME = 1492774577


def webhook(verifier: str, **more: Json) -> Webhook:
    document = {"name": "w", "verifier": verifier, "workflowsToStart": {"w": 1}, "secretValue": SECRET, **more}
    return check_webhook(document)


def accepted(hook: Webhook, headers: dict[str, str], body: bytes, now: int = 0, secret: str | None = "s3cret") -> bool:
    try:
        verify(hook, headers, body, now, lambda name: secret if name == "KEY" else None)
    except Unverified:
        return False
    return True


def stripe_signature(secret: str, at: int, body: bytes) -> str:
    """Return what https://docs.stripe.com/webhooks/signature describes."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("verifier", ["HMAC_BASED", "SIGNATURE_BASED"])
def test_githubs_example_is_accepted_in_every_spelling(verifier: str) -> None:
    hook, (secret, body) = webhook(verifier, headerKey="X-Hub-Signature-256"), GITHUB
    in_base64 = base64.b64encode(bytes.fromhex(GITHUB_DIGEST)).decode()
    for text in (f"sha256={GITHUB_DIGEST}", GITHUB_DIGEST, GITHUB_DIGEST.upper(), in_base64):
        assert accepted(hook, {"x-hub-signature-256": text}, body, secret=secret)


@pytest.mark.parametrize("given", ["", "sha256=", "sha256=" + "0" * 64, "é" * 64, GITHUB_DIGEST[:-1], "===="])
def test_another_signature_is_not(given: str) -> None:
    hook, (secret, body) = webhook("HMAC_BASED", headerKey="X-Hub-Signature-256"), GITHUB
    assert not accepted(hook, {"x-hub-signature-256": given}, body, secret=secret)
    assert not accepted(hook, {}, body, secret=secret)


def test_a_signature_of_another_body_is_not() -> None:
    hook, (secret, _) = webhook("HMAC_BASED", headerKey="X-Hub-Signature-256"), GITHUB
    assert not accepted(hook, {"x-hub-signature-256": GITHUB_DIGEST}, b"Hello, World?", secret=secret)


def slack_headers(at: int = SLACK_TIME, signature: str = SLACK_SIGNATURE) -> dict[str, str]:
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": signature}


def test_slacks_example_is_accepted() -> None:
    assert accepted(webhook("SLACK_BASED"), slack_headers(), SLACK_BODY, SLACK_TIME + 299, SLACK_SECRET)


@pytest.mark.parametrize("now", [SLACK_TIME + 301, SLACK_TIME - 301])
def test_slacks_example_is_refused_at_another_time(now: int) -> None:
    assert not accepted(webhook("SLACK_BASED"), slack_headers(), SLACK_BODY, now, SLACK_SECRET)


def test_another_moment_does_not_fit_slacks_signature() -> None:
    assert not accepted(webhook("SLACK_BASED"), slack_headers(SLACK_TIME + 1), SLACK_BODY, SLACK_TIME, SLACK_SECRET)
    assert not accepted(webhook("SLACK_BASED"), {}, SLACK_BODY, SLACK_TIME, SLACK_SECRET)
    headers = {**slack_headers(), "x-slack-request-timestamp": "soon"}
    assert not accepted(webhook("SLACK_BASED"), headers, SLACK_BODY, SLACK_TIME, SLACK_SECRET)


def test_stripes_scheme_is_accepted_also_with_several_signatures() -> None:
    body = b'{"id": "evt_1"}'
    right = stripe_signature("s3cret", STRIPE_TIME, body)
    for text in (f"t={STRIPE_TIME},v1={right}", f"t={STRIPE_TIME},v1={'0' * 64},v1={right},v0=abc"):
        assert accepted(webhook("STRIPE"), {"stripe-signature": text}, body, STRIPE_TIME + 300)


def test_stripes_scheme_is_refused_when_old_or_wrong() -> None:
    body = b'{"id": "evt_1"}'
    right = stripe_signature("s3cret", STRIPE_TIME, body)
    assert not accepted(webhook("STRIPE"), {"stripe-signature": f"t={STRIPE_TIME},v1={right}"}, body, STRIPE_TIME + 301)
    assert not accepted(webhook("STRIPE"), {"stripe-signature": f"t={STRIPE_TIME},v0={right}"}, body, STRIPE_TIME)
    assert not accepted(webhook("STRIPE"), {"stripe-signature": f"v1={right}"}, body, STRIPE_TIME)
    assert not accepted(webhook("STRIPE"), {}, body, STRIPE_TIME)


@pytest.mark.parametrize("verifier", ["HMAC_BASED", "SIGNATURE_BASED"])
def test_a_secret_in_base64_may_hold_the_key(verifier: str) -> None:
    """Microsoft Teams signs so: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors."""
    hook, secret = webhook(verifier, headerKey="Authorization"), base64.b64encode(b"key").decode()
    given = base64.b64encode(hmac.digest(b"key", b"{}", "sha256")).decode()
    assert accepted(hook, {"authorization": f"HMAC {given}"}, b"{}", secret=secret)
    assert not accepted(hook, {"authorization": f"HMAC {given}"}, b"[]", secret=secret)


def twitter_signature(secret: str, content: bytes) -> str:
    """Return what https://developer.x.com describes for account activity: ``sha256=`` and base64."""
    return "sha256=" + base64.b64encode(hmac.digest(secret.encode(), content, "sha256")).decode()


def test_twitters_scheme_is_accepted() -> None:
    headers = {"x-twitter-webhooks-signature": twitter_signature("s3cret", b"{}")}
    assert accepted(webhook("TWITTER"), headers, b"{}")
    assert not accepted(webhook("TWITTER"), headers, b"{ }")
    assert not accepted(webhook("TWITTER"), {}, b"{}")


def test_twitter_is_shown_that_the_secret_is_known() -> None:
    token = "OTk5OTk5LW5vbmNl_-+/=="
    assert response_token(webhook("TWITTER"), token, {"KEY": "s3cret"}.get) == twitter_signature(
        "s3cret", token.encode()
    )


@pytest.mark.parametrize("token", ['{"a":1}', "a=b", "", "[1]", "x" * 201, "é"])
def test_twitter_cannot_be_made_to_sign_an_event(token: str) -> None:
    with pytest.raises(Unverified):
        response_token(webhook("TWITTER"), token, {"KEY": "s3cret"}.get)
    signed = {"x-twitter-webhooks-signature": twitter_signature("s3cret", b"abc")}
    assert not accepted(webhook("TWITTER"), signed, b"abc")


@pytest.fixture(scope="module")
def sendgrid() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def sendgrid_headers(key: EllipticCurvePrivateKey, at: int, body: bytes) -> dict[str, str]:
    """Return what https://www.twilio.com/docs/sendgrid/for-developers/tracking-events describes."""
    signature = key.sign(str(at).encode() + body, ECDSA(SHA256()))
    return {
        "x-twilio-email-event-webhook-timestamp": str(at),
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
    }


def public_half(key: EllipticCurvePrivateKey) -> str:
    shown = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(shown).decode()


def test_sendgrids_scheme_is_accepted_by_a_key_in_the_webhook_or_among_the_secrets(
    sendgrid: EllipticCurvePrivateKey,
) -> None:
    headers, key = sendgrid_headers(sendgrid, 1_600_112_502, b"[]\r\n"), public_half(sendgrid)
    assert accepted(webhook("SENDGRID", secretValue=key), headers, b"[]\r\n", 1_600_112_502)
    assert accepted(webhook("SENDGRID"), headers, b"[]\r\n", 1_600_112_502, key)
    pem = f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----"
    assert accepted(webhook("SENDGRID"), headers, b"[]\r\n", 1_600_112_502 + 86_400, pem)


def test_sendgrids_scheme_is_refused_when_old_or_wrong(sendgrid: EllipticCurvePrivateKey) -> None:
    hook, at = webhook("SENDGRID", secretValue=public_half(sendgrid)), 1_600_112_502
    headers = sendgrid_headers(sendgrid, at, b"[]")
    assert not accepted(hook, headers, b"[{}]", at)
    assert not accepted(hook, headers, b"[]", at + 86_401)
    assert not accepted(hook, {**headers, "x-twilio-email-event-webhook-timestamp": str(at + 1)}, b"[]", at)
    assert not accepted(hook, {**headers, "x-twilio-email-event-webhook-signature": "AAAA"}, b"[]", at)
    assert not accepted(hook, {}, b"[]", at)
    assert not accepted(webhook("SENDGRID"), headers, b"[]", at, "no key")


def test_every_header_must_have_its_secret() -> None:
    hook = webhook("HEADER_BASED", headers={"X-One": SECRET, "X-Two": SECRET})
    assert accepted(hook, {"x-one": "s3cret", "x-two": "s3cret"}, b"")
    assert not accepted(hook, {"x-one": "s3cret", "x-two": "other"}, b"")
    assert not accepted(hook, {"x-one": "s3cret"}, b"")


def test_a_secret_that_this_server_does_not_know_lets_nobody_in() -> None:
    assert not accepted(webhook("HEADER_BASED", headers={"X-One": SECRET}), {"x-one": ""}, b"", secret=None)
    assert not accepted(webhook("HEADER_BASED", headers={"X-One": SECRET}), {"x-one": ""}, b"", secret="")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "name"),
        ({"verifier": "FACEBOOK"}, "verifier"),
        ({"verifier": "TWITTER", "secretValue": "s3cret"}, "secretValue"),
        ({"verifier": "SENDGRID", "secretValue": "s3cret"}, "secretValue"),
        ({"verifier": "SENDGRID", "secretValue": None}, "secretValue"),
        ({"verifier": "HEADER_BASED"}, "headers"),
        ({"verifier": "HMAC_BASED"}, "headerKey"),
        ({"secretValue": "whsec_in_clear"}, "secretValue"),
        ({"verifier": "HEADER_BASED", "headers": {"X-Key": "in clear"}}, "headers.X-Key"),
        ({"workflowsToStart": {}}, "receiverWorkflowNamesToVersions"),
    ],
)
def test_a_webhook_that_could_let_anybody_in_or_would_store_a_secret_is_refused(
    change: dict[str, Json], path: str
) -> None:
    with pytest.raises(BadDefinition) as refused:
        webhook(**{"verifier": "STRIPE", **change})
    assert [fault.path for fault in refused.value.faults] == [path]
    assert "in clear" not in str(refused.value)
