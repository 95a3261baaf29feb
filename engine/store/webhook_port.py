"""What a store keeps of webhooks, and of the tasks that wait for their events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from engine.model.webhook import Webhook

#: A task by the id of its run and its seq.
WaitingKey: TypeAlias = tuple[str, int]


class Shape(Struct, frozen=True, kw_only=True):
    """The paths that tasks of a workflow look at in an event; what they find there makes the key of those that wait."""

    workflow: str
    version: int
    paths: tuple[str, ...]


class Waiting(Struct, frozen=True, kw_only=True):
    """A task that waits for an event: the digest of what the event must have, and where to look for that."""

    workflow_id: str
    seq: int
    digest: str
    shape: Shape


class Webhooks(Protocol):
    """The part of a transaction that keeps webhooks."""

    def put_webhook(self, hook: Webhook, *, known: bool) -> bool:
        """Store a new webhook, or with ``known`` replace one; False when there is one already, or none."""
        ...

    def webhook(self, webhook_id: str) -> Webhook | None:
        """Return the webhook of this id."""
        ...

    def webhooks(self) -> tuple[Webhook, ...]:
        """Return every webhook, by name."""
        ...

    def drop_webhook(self, webhook_id: str) -> bool:
        """Forget a webhook; False when there was none."""
        ...

    def await_events(self, waiting: Sequence[Waiting]) -> None:
        """Write down that these tasks wait."""
        ...

    def end_waiting(self, keys: Collection[WaitingKey]) -> None:
        """Forget that these tasks wait, whether they did or not."""
        ...

    def shapes(self, workflows: Collection[str]) -> tuple[Shape, ...]:
        """Return where tasks of these workflows have ever looked."""
        ...

    def waiting_for(self, digests: Collection[str], after: WaitingKey, limit: int) -> tuple[WaitingKey, ...]:
        """Return a page of the tasks, behind ``after`` in their order, that wait for one of these."""
        ...
