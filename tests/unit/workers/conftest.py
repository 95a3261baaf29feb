"""Keeps the Celery apps of these tests apart from the apps of other tests in the same process; a bench to work at."""

from collections.abc import Iterator

import pytest
from celery import _state

from tests.unit.workers.bench import Bench


@pytest.fixture(autouse=True)
def _no_tasks_of_other_apps(monkeypatch):
    # Celery copies every shared task of the process into each new app; a worker's process has but one app.
    monkeypatch.setattr(_state, "_on_app_finalizers", set())


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    if bench.workers:
        assert bench.workers.stop()
