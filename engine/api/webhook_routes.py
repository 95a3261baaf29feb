"""Routes of webhooks: their definitions under /api/metadata/webhook, and where events come in (Orkes)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from engine.api.body import RawBody, answer, document, done
from engine.api.requester import Requester
from engine.api.verifiers import Secrets, Unverified, response_token, verify
from engine.api.webhook_check import check_webhook
from engine.api.webhook_events import carry
from engine.clock import SECOND, Clock
from engine.errors import NotFound, Refused
from engine.identifier import new_id
from engine.log import get_logger
from engine.model.payload import Json
from engine.model.webhook import SENDGRID, SLACK, STRIPE, TWITTER, Webhook
from engine.store.port import Store
from engine.wire.fields import read_json

log = get_logger(__name__)

#: Bytes of one event.
_LARGEST: Final = 5 * 1024 * 1024

#: Headers by which senders name an event, so that one that comes twice is known.
_DELIVERIES: Final = ("webhook-id", "x-github-delivery", "idempotency-key")

_FORM: Final = "application/x-www-form-urlencoded"


async def _event(request: Request) -> bytes:
    """Read an event of any kind; stop as soon as it is too large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _LARGEST:
            raise HTTPException(413, f"The event is larger than {_LARGEST:,} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def webhook_routes(store: Store, requester: Requester, clock: Clock, secrets: Secrets) -> APIRouter:
    """Return the routes; those that block run in the server's thread pool."""
    router = APIRouter()
    _definitions(router, store)
    _receiving(router, store, requester, clock, secrets)
    return router


def _definitions(router: APIRouter, store: Store) -> None:
    @router.post("/api/metadata/webhook")
    def create(body: RawBody) -> Response:
        """Keep a new webhook; its id is the last part of the address at which it receives."""
        webhook = check_webhook(document(body))
        webhook = webhook if webhook.id else webhook.model_copy(update={"id": new_id()})
        with store.transaction() as tx:
            stored = tx.put_webhook(webhook, known=False)
        if not stored:
            raise Refused(f"A webhook {webhook.id!r} exists already: replace it with PUT /api/metadata/webhook/{{id}}.")
        return answer(webhook.to_json())

    @router.put("/api/metadata/webhook/{webhook_id}")
    def replace(webhook_id: str, body: RawBody) -> Response:
        """Replace a webhook."""
        webhook = check_webhook(document(body)).model_copy(update={"id": webhook_id})
        with store.transaction() as tx:
            stored = tx.put_webhook(webhook, known=True)
        if not stored:
            raise _unknown(webhook_id)
        return answer(webhook.to_json())

    @router.get("/api/metadata/webhook")
    def every() -> Response:
        """List every webhook."""
        with store.transaction() as tx:
            return answer([webhook.to_json() for webhook in tx.webhooks()])

    @router.get("/api/metadata/webhook/{webhook_id}")
    def one(webhook_id: str) -> Response:
        """Show a webhook."""
        return answer(_known(store, webhook_id).to_json())

    @router.delete("/api/metadata/webhook/{webhook_id}")
    def forget(webhook_id: str) -> Response:
        """Forget a webhook: its address answers 404 from then on."""
        with store.transaction() as tx:
            known = tx.drop_webhook(webhook_id)
        if not known:
            raise _unknown(webhook_id)
        return done()


def _receiving(router: APIRouter, store: Store, requester: Requester, clock: Clock, secrets: Secrets) -> None:
    @router.post("/webhook/{webhook_id}")
    @router.post("/api/webhook/{webhook_id}")
    def receive(webhook_id: str, request: Request, body: Annotated[bytes, Depends(_event)]) -> Response:
        """Answer 200 once everything that the event leads to is in the broker's hands."""
        webhook = _known(store, webhook_id)
        headers = {name.lower(): value for name, value in request.headers.items()}
        with _only_verified(webhook):
            verify(webhook, headers, body, clock.now() // SECOND, secrets)
        payload = _payload(headers, body)
        if webhook.verifier == SLACK and _is_challenge(payload):
            return answer({"challenge": payload["challenge"]})
        return answer(carry(store, requester, webhook, payload, _receipt(webhook, headers, body, payload)))

    @router.get("/webhook/{webhook_id}")
    @router.get("/api/webhook/{webhook_id}")
    def ping(webhook_id: str, crc_token: str | None = None) -> Response:
        """Say that the address is right: some senders ask before they send events, Twitter for a proof."""
        webhook = _known(store, webhook_id)
        if webhook.verifier != TWITTER or crc_token is None:
            return done()
        with _only_verified(webhook):
            return answer({"response_token": response_token(webhook, crc_token, secrets)})


@contextmanager
def _only_verified(webhook: Webhook) -> Iterator[None]:
    """Answer 401 to whoever turns out not to be who he says."""
    try:
        yield
    except Unverified as error:
        log.warning("webhook.unverified", webhook=webhook.id, name=webhook.name, reason=str(error))
        raise HTTPException(401, "The sender could not be verified; the server's log says why.") from None


def _payload(headers: Mapping[str, str], body: bytes) -> Json:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    # curl says that everything is a form; no form begins like this.
    if kind == _FORM and not body.lstrip().startswith((b"{", b"[")):
        return _with_payload(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    return read_json(body, "the event")


def _with_payload(fields: dict[str, str]) -> Json:
    """Return a form's fields; Slack and GitHub put JSON into one that is named so."""
    if set(fields) == {"payload"}:
        return read_json(fields["payload"].encode(), "the event's payload")
    return dict(fields)


def _is_challenge(payload: Json) -> bool:
    return isinstance(payload, Mapping) and payload.get("type") == "url_verification" and "challenge" in payload


def _receipt(webhook: Webhook, headers: Mapping[str, str], body: bytes, payload: Json) -> str:
    """Return what makes an event that comes twice recognisable; where nothing does, each is one of its own."""
    if webhook.verifier == SENDGRID:
        # A batch of events bears no id; a copy of one has what was signed.
        return hashlib.sha256(headers["x-twilio-email-event-webhook-timestamp"].encode() + body).hexdigest()
    given: Json = next((headers[name] for name in _DELIVERIES if headers.get(name)), None)
    if isinstance(payload, Mapping) and webhook.verifier in (SLACK, STRIPE):
        given = payload.get("event_id" if webhook.verifier == SLACK else "id") or given
    if given is None:
        return new_id()
    return hashlib.sha256(msgspec.json.encode(given)).hexdigest()


def _known(store: Store, webhook_id: str) -> Webhook:
    with store.transaction() as tx:
        found = tx.webhook(webhook_id)
    if found is None:
        raise _unknown(webhook_id)
    return found


def _unknown(webhook_id: str) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id!r}: 'baton webhook list' shows those there are.")
