"""New ids for runs and messages: UUIDv7, which sort by time so that new rows land side by side in the database."""

from __future__ import annotations

import os
import uuid

from engine.clock import SystemClock, milliseconds


def new_id() -> str:
    """Return a fresh UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    bits = (milliseconds(SystemClock().now()) << 80) | int.from_bytes(os.urandom(10), "big")
    bits = (bits & ~(0xF << 76)) | (0x7 << 76)
    bits = (bits & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=bits))
