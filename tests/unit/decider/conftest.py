"""A harness for each test of the decider."""

from __future__ import annotations

import pytest

from engine.testing.harness import Harness


@pytest.fixture
def harness() -> Harness:
    return Harness()
