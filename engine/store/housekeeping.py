"""What keeps the machinery going: dates that ring, queues, settings and the leases of partitions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, case, delete, func, insert, or_, select, text, update

from engine.clock import Instant, after
from engine.model.execution import NEVER
from engine.store.batch import Batch
from engine.store.codec import storable
from engine.store.port import Due
from engine.store.schema import OPEN_RUNS, lease_owner, partition_lease, queue, setting, task_limit, workflow
from engine.store.share import fair_share

#: What deciders take turns at.
_LEASES: Final = "baton.partition_lease"


class Housekeeping:
    """The part of a transaction that keeps the machinery going."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._connection = connection
        self._batch = batch

    def ring(self, now: Instant, lease_seconds: float, limit: int) -> tuple[Due, ...]:
        """See ``Transaction.ring``."""
        columns = workflow.c
        # Either the date was set after the last ring, or nobody has answered that one.
        unanswered = or_(columns.rung_at < columns.wake_at, columns.rung_at <= after(now, -lease_seconds))
        due = (
            select(columns.id, columns.wake_at)
            .with_hint(workflow, "FORCE INDEX (workflow_due)", "mysql")
            .where(text(OPEN_RUNS), columns.wake_at > NEVER, columns.wake_at <= now, unanswered)
            .order_by(columns.wake_at, columns.id)
            .limit(limit)
            .with_for_update(skip_locked=True, key_share=True)
        )
        found = tuple(Due(key, wake_at) for key, wake_at in self._connection.execute(due))
        if found:
            rung = self._batch.among(columns.id, [each.workflow_id for each in found])
            self._connection.execute(update(workflow).where(rung).values(rung_at=now))
        return found

    def next_ring(self, beyond: Instant = NEVER) -> Instant | None:
        """See ``Transaction.next_ring``."""
        moment = workflow.c.wake_at
        # Not min(), for which MySQL would look at every open run.
        query = select(moment).with_hint(workflow, "FORCE INDEX (workflow_due)", "mysql")
        query = query.where(text(OPEN_RUNS), moment > beyond).order_by(moment).limit(1)
        of_limits = select(func.min(task_limit.c.wake_at)).where(task_limit.c.wake_at > beyond)
        # One statement: this is what an idle timekeeper asks all day.
        dates = self._connection.execute(select(query.scalar_subquery(), of_limits.scalar_subquery())).one()
        return min((date for date in dates if date is not None), default=None)

    def note_queues(self, names: Collection[str]) -> None:
        """See ``Transaction.note_queues``."""
        if names:
            rows = [{"name": storable(name), "empty_at": NEVER} for name in sorted(names)]
            self._connection.execute(self._batch.insert_missing(queue), rows)

    def queue_names(self) -> tuple[str, ...]:
        """See ``Transaction.queue_names``."""
        return tuple(sorted(self._connection.scalars(select(queue.c.name))))

    def saw_empty(self, moments: Mapping[str, Instant]) -> None:
        """See ``Transaction.saw_empty``."""
        if not moments:
            return
        known = queue.c.empty_at
        later = self._batch.put(
            queue, lambda given: {"empty_at": case((known < given.empty_at, given.empty_at), else_=known)}
        )
        rows = [{"name": storable(name), "empty_at": moment} for name, moment in sorted(moments.items())]
        self._connection.execute(later, rows)

    def queues_seen_empty(self) -> dict[str, Instant]:
        """See ``Transaction.queues_seen_empty``."""
        query = select(queue.c.name, queue.c.empty_at).where(queue.c.empty_at > NEVER)
        return dict(self._connection.execute(query).all())

    def setting(self, key: str) -> str | None:
        """See ``Transaction.setting``."""
        return self._connection.scalar(select(setting.c.value).where(setting.c.key == key))

    def put_setting(self, key: str, value: str) -> str:
        """See ``Transaction.put_setting``."""
        self._connection.execute(self._batch.insert_missing(setting), {"key": key, "value": value})
        held = self.setting(key)
        assert held is not None
        return held

    def share_leases(self, owner: str, now: Instant, lease_seconds: float, partitions: int) -> tuple[int, ...]:
        """See ``Transaction.share_leases``."""
        connection = self._connection
        self._batch.take_turns(connection, _LEASES)
        until = after(now, lease_seconds)
        renewal = self._batch.put(lease_owner, lambda given: {"alive_until": given.alive_until})
        connection.execute(renewal, {"owner": owner, "alive_until": until})
        connection.execute(delete(lease_owner).where(lease_owner.c.alive_until <= now, lease_owner.c.owner != owner))
        living = set(connection.scalars(select(lease_owner.c.owner)))
        leases = select(partition_lease.c.partition, partition_lease.c.owner)
        held = dict(connection.execute(leases).all())
        mine = fair_share(owner, living, held, partitions)
        gone = [number for number, holder in held.items() if holder == owner and number not in mine]
        if gone:
            connection.execute(delete(partition_lease).where(partition_lease.c.partition.in_(gone)))
        new = [{"partition": number, "owner": owner} for number in mine if held.get(number) != owner]
        if new:
            connection.execute(insert(partition_lease), new)
        return mine

    def release_leases(self, owner: str) -> None:
        """See ``Transaction.release_leases``."""
        self._batch.take_turns(self._connection, _LEASES)
        self._connection.execute(delete(lease_owner).where(lease_owner.c.owner == owner))
