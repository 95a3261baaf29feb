"""The doctor leaves queues alone that workers poll."""

from __future__ import annotations

from pathlib import Path

from engine.clock import SystemClock, after
from engine.config import Settings
from engine.services.poll_checkup import unpolled
from engine.store import open_store
from engine.store.migrate import migrate
from engine.store.worker_port import LastPoll


def test_queues_that_are_polled_miss_no_celery_worker(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/baton.db")
    migrate(settings.database_url)
    store, now = open_store(settings.database_url), SystemClock().now()
    polls = [
        LastPoll(task_type="a", domain="", worker="w", at=now),
        LastPoll(task_type="a", domain="blue", worker="w", at=after(now, -60)),
    ]
    with store.transaction() as transaction:
        transaction.note_polls(polls)
    store.close()
    assert unpolled(settings, {"a": 1, "blue:a": 2, "b": 3}) == {"blue:a": 2, "b": 3}
