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

#: Settings that stand below another one and share its comment in the code; here each line speaks for itself.
_BY_THEMSELVES = {
    "http_port": "The port on which the server listens.",
    "cache_workflows": "Runs that a decider keeps in memory.",
    "cache_tasks": "Tasks in the runs that a decider keeps in memory.",
    "script_time_limit_ms": "Time limit of one script in the decider (conditions of SWITCH and DO_WHILE).",
    "script_memory_limit_bytes": "Memory limit of such a script.",
    "log_level": "Lines below it are left out: `debug`, `info`, `warning` or `error`.",
    "log_format": "`text` for people, `json` for machines.",
}


def listed(page: str) -> str:
    """Return the page with the table of settings as the code has them now."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, meaning in _explained():
        rows.append(f"| `{variable_of(name)}` | {_shown(getattr(Settings(), name))} | {meaning} |")
    return replaced(page, "settings", "\n".join(rows))


def _explained() -> Iterator[tuple[str, str]]:
    """Yield every setting with its explanation: the comment above it, unless it shares that with others.

    Raises:
        ValueError: a setting has no explanation.
    """
    comment: list[str] = []
    for line in inspect.getsource(Settings).splitlines():
        if line.startswith(_COMMENT):
            comment.append(line.removeprefix(_COMMENT))
        elif (found := _FIELD.match(line)) is not None:
            name = found["name"]
            meaning = _BY_THEMSELVES.get(name) or " ".join(comment)
            if not meaning:
                raise ValueError(f"{name} has no comment in engine/config.py: write one, or explain it in this script.")
            yield name, meaning.replace("``", "`").replace("|", "\\|")
            comment = []


def _shown(value: object) -> str:
    return "–" if value is None else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(listed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
