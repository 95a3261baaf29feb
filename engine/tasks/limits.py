"""What a decision may cost, and what a run may hold."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """What evaluating expressions and conditions inside the decider may cost."""

    #: Characters of a task's input or output as the decider makes it, written as JSON.
    value_characters: int = 20 * 1024 * 1024
    script_seconds: float = 0.05
    script_bytes: int = 32 * 1024 * 1024
    variables_bytes: int = 256 * 1024
    #: Messages that were sent to a run and not taken yet, and their size together, as JSON.
    messages: int = 1_000
    messages_bytes: int = 1024 * 1024
