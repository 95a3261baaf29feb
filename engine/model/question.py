"""What a decision may have to know that stands neither in the run nor in the definitions: asked for, never fetched.

A decision that lacks an answer goes on as if it were no, and names the question. The road finds the answer and has the
same decision made once more.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class IsServed(Struct, frozen=True):
    """Are there workers that take tasks from this queue?"""

    queue: str


Question: TypeAlias = IsServed
