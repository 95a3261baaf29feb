"""Has pytest explain what differs where scenarios are compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.scenarios.play")
