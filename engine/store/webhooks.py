"""Webhooks, and the tasks that wait for their events, found by the digest of what an event has."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from engine.model.webhook import Webhook
from engine.store.batch import Batch
from engine.store.codec import decode, encode, storable
from engine.store.webhook_port import Shape, Waiting, WaitingKey
from engine.store.webhook_tables import awaited, awaited_shape, webhook


class StoredWebhooks:
    """The part of a transaction that keeps webhooks."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def put_webhook(self, hook: Webhook, *, known: bool) -> bool:
        """See ``Webhooks.put_webhook``."""
        row = {"id": storable(hook.id), "body": encode(hook.to_json())}
        if known:
            changed = update(webhook).where(webhook.c.id == row["id"]).values(body=row["body"])
            return self.webhook(hook.id) is not None and self._connection.execute(changed) is not None
        if self.webhook(hook.id) is not None:
            return False
        self._connection.execute(insert(webhook), row)
        return True

    def webhook(self, webhook_id: str) -> Webhook | None:
        """See ``Webhooks.webhook``."""
        body = self._connection.scalar(select(webhook.c.body).where(webhook.c.id == storable(webhook_id)))
        return None if body is None else Webhook.model_validate(decode(body))

    def webhooks(self) -> tuple[Webhook, ...]:
        """See ``Webhooks.webhooks``."""
        bodies = self._connection.scalars(select(webhook.c.body))
        return tuple(sorted((Webhook.model_validate(decode(body)) for body in bodies), key=lambda each: each.name))

    def drop_webhook(self, webhook_id: str) -> bool:
        """See ``Webhooks.drop_webhook``."""
        gone = self._connection.execute(delete(webhook).where(webhook.c.id == storable(webhook_id)))
        return bool(gone.rowcount)

    def await_events(self, waiting: Sequence[Waiting]) -> None:
        """See ``Webhooks.await_events``."""
        if not waiting:
            return
        rows_of_shapes = map(_shape_row, {each.shape for each in waiting})
        shapes: dict[str, dict[str, Any]] = {row["digest"]: row for row in rows_of_shapes}
        known = select(awaited_shape.c.digest).where(self._batch.among(awaited_shape.c.digest, list(shapes)))
        missing = sorted(shapes.keys() - set(self._connection.scalars(known)))
        if missing:
            self._connection.execute(self._batch.insert_missing(awaited_shape), [shapes[digest] for digest in missing])
        put = self._batch.put(awaited, lambda given: {"digest": given.digest})
        rows = sorted((storable(each.workflow_id), each.seq, each.digest) for each in waiting)
        self._connection.execute(put, [{"workflow_id": run, "seq": seq, "digest": key} for run, seq, key in rows])

    def end_waiting(self, keys: Collection[WaitingKey]) -> None:
        """See ``Webhooks.end_waiting``."""
        if keys:
            it = and_(awaited.c.workflow_id == bindparam("of_run"), awaited.c.seq == bindparam("of_seq"))
            rows = [{"of_run": storable(run), "of_seq": seq} for run, seq in sorted(keys)]
            self._connection.execute(delete(awaited).where(it), rows)

    def shapes(self, workflows: Collection[str]) -> tuple[Shape, ...]:
        """See ``Webhooks.shapes``."""
        columns = awaited_shape.c
        query = select(columns.workflow, columns.version, columns.paths)
        wanted = query.where(self._batch.among(columns.workflow, workflows)).order_by(columns.digest)
        return tuple(
            Shape(workflow=name, version=version, paths=tuple(decode(paths)))
            for name, version, paths in self._connection.execute(wanted)
        )

    def waiting_for(self, digests: Collection[str], after: WaitingKey, limit: int) -> tuple[WaitingKey, ...]:
        """See ``Webhooks.waiting_for``."""
        run, seq = awaited.c.workflow_id, awaited.c.seq
        behind = or_(run > after[0], and_(run == after[0], seq > after[1]))
        query = select(run, seq).where(self._batch.among(awaited.c.digest, digests), behind)
        return tuple((one, two) for one, two in self._connection.execute(query.order_by(run, seq).limit(limit)))


def _shape_row(shape: Shape) -> dict[str, Any]:
    paths = encode(list(shape.paths))
    text = f"{storable(shape.workflow)}\n{shape.version}\n{paths}"
    return {
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "workflow": storable(shape.workflow),
        "version": shape.version,
        "paths": paths,
    }
