"""Databases as earlier versions left them."""

from __future__ import annotations

from tests.conformance.store.conftest import url

__all__ = ["url"]
