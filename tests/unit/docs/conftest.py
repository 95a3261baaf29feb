"""The apps of the pages are made in the suite's own process, and leave nothing there for later apps."""

from __future__ import annotations

import pytest
from celery import _state


@pytest.fixture(autouse=True)
def _tasks_stay_with_their_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget tasks at the test's end that Celery would give to every other app of the process."""
    monkeypatch.setattr(_state, "_on_app_finalizers", set(_state._on_app_finalizers))
