"""Gives the demo's tests a fresh workspace, filled as the demo fills it."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.workspace import prepare


@pytest.fixture
def workspace(tmp_path: Path) -> str:
    folder = tmp_path / "workspace"
    prepare(folder)
    return str(folder)
