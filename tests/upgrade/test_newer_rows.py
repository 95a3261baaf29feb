"""A row that only a newer version understands stops nobody, and is left as it is."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

from engine.store import open_store
from engine.store.migrate import migrate
from engine.testing.harness import Harness
from engine.wire.dead_letter import read_dead


def test_a_status_of_a_newer_version_leaves_the_row_alone_and_its_news_in_the_dead_letters(tmp_path: Path) -> None:
    # Given two runs, one of which a newer version has given a status that is not known here
    url = f"sqlite:///{tmp_path / 'baton.db'}"
    migrate(url)
    harness = Harness()
    harness.store = open_store(url)  # type: ignore[assignment]
    harness.restart_decider()
    harness.register({"name": "one", "tasks": [{"name": "work", "taskReferenceName": "work"}]})
    newer, neighbour = harness.start("one"), harness.start("one")
    database = sqlalchemy.create_engine(url)
    with database.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE workflow SET status = 'ON_HOLD' WHERE id = :id"), {"id": newer})
    harness.restart_decider()
    # When there is news of both
    harness.work({"work": lambda _: {}})
    # Then the other one goes on, and the news of the newer one is kept, with the reason
    assert harness.run(neighbour).status == "COMPLETED"
    (letter,) = harness.broker.connect().peek("baton.dead", 5)
    assert "'ON_HOLD', which this version does not know" in read_dead(letter.message).reason
    with database.begin() as connection:
        found = connection.execute(sqlalchemy.text("SELECT status FROM workflow WHERE id = :id"), {"id": newer})
        assert found.scalar() == "ON_HOLD"
    database.dispose()
    harness.store.close()
