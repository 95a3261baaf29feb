"""A site for each test of the scheduler."""

from __future__ import annotations

import pytest

from tests.unit.schedules.site import Site


@pytest.fixture
def site() -> Site:
    return Site()
