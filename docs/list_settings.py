"""Lists every setting in `guides/configuration.md`, from `engine/config.py`: `python -m docs.list_settings`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from docs.markers import replaced
from engine.config import Settings, variable_of

PAGE = Path(__file__).parent / "guides" / "configuration.md"

_FIELD = re.compile(r"    (?P<name>[a-z_]+): (?P<type>.+?) = ")
_COMMENT = "    #: "


def listed(page: str) -> str:
    """Return the page with the table of settings as the code has them now."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, meaning in _explained():
        rows.append(f"| `{variable_of(name)}` | {_shown(getattr(Settings(), name))} | {meaning} |")
    return replaced(page, "settings", "\n".join(rows))


def _explained() -> Iterator[tuple[str, str]]:
    """Yield every setting with the comment above it; one without a comment of its own shares the one before."""
    comment: list[str] = []
    fresh = False
    for line in inspect.getsource(Settings).splitlines():
        if line.startswith(_COMMENT):
            comment = [*(comment if fresh else []), line.removeprefix(_COMMENT)]
            fresh = True
        elif (found := _FIELD.match(line)) is not None:
            fresh = False
            if found["name"] in Settings.__struct_fields__:
                yield found["name"], " ".join(comment).replace("``", "`").replace("|", "\\|")


def _shown(value: object) -> str:
    return "–" if value is None else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(listed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
