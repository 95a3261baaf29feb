"""Where scenarios are played: in memory, and on RabbitMQ and Postgres."""

from __future__ import annotations

import psycopg

from deploy.probe import conninfo
from engine.broker.opening import open_broker
from engine.store import open_store
from engine.testing.clock import FixedClock
from engine.testing.harness import Harness
from engine.wire.message import START_QUEUE, Delivery, Message, events_queue

#: The header by which a stage knows its own messages.
_MARK = "stage"

#: Seconds until a message that has been confirmed and does not come counts as lost.
_PATIENCE_SECONDS = 60.0

#: TRUNCATE would write new files for all tables and their indexes, to take a few rows away.
_EMPTY_ALL = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE 'DELETE FROM ' || quote_ident(name);
    END LOOP;
END $$
"""


class ServerStage(Harness):
    """The engine on servers, with a clock that is still set by hand."""

    def __init__(self, database_url: str, broker_url: str) -> None:
        self._database_url = database_url
        super().__init__(store=open_store(database_url), connect=lambda: open_broker(broker_url))

    def arrived(self) -> list[Delivery]:
        """Return what has arrived for the road: everything that was published before this was asked.

        Queues keep the order: what lies before a mark has come when the mark comes.
        """
        queues = (START_QUEUE, events_queue(0))
        self.road.publish([Message(queue=queue, body=b"{}", headers={_MARK: queue}) for queue in queues])
        found: list[Delivery] = []
        missing = set(queues)
        while missing:
            deliveries = self.road.receive(self.settings.batch_size, _PATIENCE_SECONDS)
            assert deliveries, f"nothing came from {missing}"
            marks = [each for each in deliveries if _MARK in each.message.headers]
            self.road.ack(marks)
            missing -= {each.queue for each in marks}
            found += [each for each in deliveries if _MARK not in each.message.headers]
        return found

    def clear(self) -> None:
        """Forget everything that the last scenario has left."""
        with self.store.transaction() as transaction:
            queues = transaction.queue_names()
        self.take(*queues)
        with psycopg.connect(conninfo(self._database_url)) as connection:
            connection.execute(_EMPTY_ALL)
        self.clock = FixedClock()
        self.restart_decider()
