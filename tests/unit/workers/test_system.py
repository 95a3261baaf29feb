"""How Celery's worker is called for Baton's own task types."""

from __future__ import annotations

import pytest

from workers.system import KINDS, arguments_of, queues_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_system_worker_does_not_listen_to_the_signs_of_life_of_all_others(kind: str) -> None:
    assert "--without-gossip" in arguments_of(kind, queues_of(kind), None, "prefork", ())


def test_a_system_worker_still_asks_the_others_for_revoked_tasks_and_sends_events_for_flower() -> None:
    arguments = arguments_of("http", queues_of("http"), None, "prefork", ())
    assert "--without-mingle" not in arguments
    assert "--without-heartbeat" not in arguments
    assert "-E" in arguments


def test_what_was_asked_for_stands_behind_what_is_usual() -> None:
    arguments = arguments_of("script", ["system.inline"], 3, "solo", ["-l", "debug"])
    assert arguments[:5] == ["worker", "-Q", "system.inline", "-P", "solo"]
    assert arguments[-4:] == ["-l", "debug", "-c", "3"]
