"""Reads a webhook as people write it; tells everything that is wrong with it, each with its JSON path."""

from __future__ import annotations

from collections.abc import Iterator

from engine.api.sendgrid_signature import read_key
from engine.api.verifiers import secret_name
from engine.errors import BadConfiguration, BadDefinition, Fault
from engine.model.definition import read
from engine.model.payload import Json
from engine.model.webhook import HEADER, HMAC, SENDGRID, SIGNATURE, SLACK, STRIPE, TWITTER, VERIFIERS, Webhook

_NAMED = "must name a secret as ${workflow.secrets.NAME}: values of secrets are not stored"


def check_webhook(document: Json) -> Webhook:
    """Return the webhook; raise ``BadDefinition`` with every mistake in it."""
    webhook, _ = read(Webhook, document, "Webhook")
    faults = list(_faults(webhook))
    if faults:
        raise BadDefinition(f"Webhook {webhook.name[:100]!r}", faults)
    return webhook


def _faults(webhook: Webhook) -> Iterator[Fault]:
    if not webhook.name.strip() or len(webhook.name) > 250:
        yield Fault("name", "is missing or longer than 250 characters")
    if not webhook.receiver_workflow_names_to_versions and not webhook.workflows_to_start:
        yield Fault("receiverWorkflowNamesToVersions", "name workflows here or in workflowsToStart")
    if webhook.verifier not in VERIFIERS:
        yield Fault("verifier", f"{webhook.verifier!r} is not known: use one of {', '.join(VERIFIERS)}")
    if webhook.verifier == HEADER and not webhook.headers:
        yield Fault("headers", "needs at least one header with the secret that it must have")
    if webhook.verifier in (SIGNATURE, HMAC) and not webhook.header_key:
        yield Fault("headerKey", "needs the header that holds the signature")
    if webhook.verifier in (SIGNATURE, HMAC, SLACK, STRIPE, TWITTER) and secret_name(webhook.secret_value) is None:
        yield Fault("secretValue", _NAMED)
    if webhook.verifier == SENDGRID and (complaint := _key_fault(webhook.secret_value)) is not None:
        yield Fault("secretValue", complaint)
    for name, value in webhook.headers.items():
        if secret_name(value) is None:
            yield Fault(f"headers.{name}", _NAMED)


def _key_fault(value: str | None) -> str | None:
    """Return what is wrong with SendGrid's public key, or with the name under which it is kept."""
    try:
        key = read_key(value or "")
    except BadConfiguration as error:
        return error.faults[0]
    if key is None and secret_name(value) is None:
        return "needs SendGrid's verification key, or the name of one as ${workflow.secrets.NAME}"
    return None
