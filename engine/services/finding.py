"""What the doctor has found, and what to do about it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True):
    """What was looked at, how it is, and what to do about it."""

    subject: str
    state: Literal["ok", "warning", "fault"]
    what: str
    remedy: str | None = None

    def shown(self) -> dict[str, object]:
        """Return the finding as JSON."""
        return {"subject": self.subject, "state": self.state, "what": self.what, "remedy": self.remedy}


def sentence(error: Exception) -> str:
    """Return an error's text as one line."""
    return " ".join(str(error).split()) or type(error).__name__
