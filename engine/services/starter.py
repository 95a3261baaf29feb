"""The starter: the decider's road, fed from ``baton.start`` alone."""

from __future__ import annotations

from engine.config import Settings
from engine.services import decider


def run(settings: Settings) -> int:
    """Run a starter until SIGTERM; return the exit code."""
    return decider.run(settings, starter=True)
