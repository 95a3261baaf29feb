"""Keeps the Celery apps of these tests apart from the apps of other tests in the same process."""

import pytest
from celery import _state


@pytest.fixture(autouse=True)
def _no_tasks_of_other_apps(monkeypatch):
    # Celery copies every shared task of the process into each new app; a worker's process has but one app.
    monkeypatch.setattr(_state, "_on_app_finalizers", set())
