"""Keeps kombu from unpacking compressed messages: it would do so before anybody can look at their size."""

from __future__ import annotations

from typing import NoReturn

from kombu import compression


def leave_packed() -> None:
    """Have every message of this process stay as it came; what is compressed can then be set aside unopened.

    Nothing of ours sends compressed messages. A process that also runs tasks of others must not do this to them.
    """
    for kind in compression.encoders():  # type: ignore[no-untyped-call]
        encoder, _ = compression.get_encoder(kind)  # type: ignore[no-untyped-call]
        compression.register(encoder, _refuse, kind)  # type: ignore[no-untyped-call]


def _refuse(_: bytes) -> NoReturn:
    raise ValueError("compressed messages are not opened here")
