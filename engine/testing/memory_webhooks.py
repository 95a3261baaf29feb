"""Webhooks, and the tasks that wait for their events, in a store that keeps everything in this process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from engine.model.webhook import Webhook
from engine.store.webhook_port import Shape, Waiting, WaitingKey

if TYPE_CHECKING:
    from engine.testing.memory_tables import Journal, Tables


class MemoryWebhooks:
    """The part of a transaction that keeps webhooks."""

    _tables: Tables
    _journal: Journal

    def put_webhook(self, hook: Webhook, *, known: bool) -> bool:
        """See ``Webhooks.put_webhook``."""
        if (hook.id in self._tables.webhooks) is not known:
            return False
        self._journal.put(self._tables.webhooks, hook.id, hook)
        return True

    def webhook(self, webhook_id: str) -> Webhook | None:
        """See ``Webhooks.webhook``."""
        return self._tables.webhooks.get(webhook_id)

    def webhooks(self) -> tuple[Webhook, ...]:
        """See ``Webhooks.webhooks``."""
        return tuple(sorted(self._tables.webhooks.values(), key=lambda each: each.name))

    def drop_webhook(self, webhook_id: str) -> bool:
        """See ``Webhooks.drop_webhook``."""
        return self._journal.drop(self._tables.webhooks, webhook_id)

    def await_events(self, waiting: Sequence[Waiting]) -> None:
        """See ``Webhooks.await_events``."""
        for each in waiting:
            self._journal.put(self._tables.awaited, (each.workflow_id, each.seq), each.digest)
            self._journal.put(self._tables.shapes, each.shape, None)

    def end_waiting(self, keys: Collection[WaitingKey]) -> None:
        """See ``Webhooks.end_waiting``."""
        for key in keys:
            self._journal.drop(self._tables.awaited, key)

    def shapes(self, workflows: Collection[str]) -> tuple[Shape, ...]:
        """See ``Webhooks.shapes``."""
        return tuple(shape for shape in self._tables.shapes if shape.workflow in workflows)

    def waiting_for(self, digests: Collection[str], after: WaitingKey, limit: int) -> tuple[WaitingKey, ...]:
        """See ``Webhooks.waiting_for``."""
        found = sorted(key for key, digest in self._tables.awaited.items() if digest in digests and key > after)
        return tuple(found[:limit])
