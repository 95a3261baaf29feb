"""Webhooks: where strangers tell of events, how they prove who they are, and what an event does (Orkes)."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from engine.model.definition import Text, Version, Written

#: Ways for a sender to prove who it is, as Orkes names them.
HEADER: Final = "HEADER_BASED"
SIGNATURE: Final = "SIGNATURE_BASED"
HMAC: Final = "HMAC_BASED"
SLACK: Final = "SLACK_BASED"
STRIPE: Final = "STRIPE"
TWITTER: Final = "TWITTER"
SENDGRID: Final = "SENDGRID"
VERIFIERS: Final = (HEADER, SIGNATURE, HMAC, SLACK, STRIPE, TWITTER, SENDGRID)


class Webhook(Written):
    """One address, ``/webhook/<id>``; secrets are named as ``${workflow.secrets.NAME}`` and never stored."""

    id: Text = ""
    name: Text = ""
    verifier: Text = ""
    source_platform: Text | None = None
    #: Header to the secret that it must have.
    headers: dict[str, Text] = Field(default_factory=dict)
    #: The header that holds the signature.
    header_key: Text | None = None
    secret_key: Text | None = None
    secret_value: Text | None = None
    #: Workflows whose waiting tasks hear of events; a version, or None for every one.
    receiver_workflow_names_to_versions: dict[str, Version | None] = Field(default_factory=dict)
    #: Workflows that each event starts; None for the latest version.
    workflows_to_start: dict[str, Version | None] = Field(default_factory=dict)
    created_by: Text | None = None
