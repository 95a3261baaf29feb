"""Reads JSON that the user gives on the command line: a text, a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from engine.cli.failure import USAGE, Failure
from engine.errors import BadMessage
from engine.wire.json_text import parse_text


def read_object(given: str | None, option: str) -> dict[str, Any]:
    """Return the JSON object that an option names: ``{…}`` itself, a file's name, or ``-`` for standard input."""
    if given is None:
        return {}
    text, source = _text(given, option)
    value = _parsed(text, source)
    if not isinstance(value, dict):
        raise Failure(f"{source} must be a JSON object {{…}}.", code=USAGE)
    return value


def read_documents(path: Path) -> list[Any]:
    """Return the JSON documents in a file: the items of a list, or the one that it holds."""
    value = _parsed(_read(path), str(path))
    return value if isinstance(value, list) else [value]


def _parsed(text: str, source: str) -> Any:
    try:
        return parse_text(text, source)
    except BadMessage as error:
        raise Failure(str(error), code=USAGE) from None


def _text(given: str, option: str) -> tuple[str, str]:
    if given == "-":
        return sys.stdin.read(), f"{option} (standard input)"
    if given.lstrip().startswith(("{", "[", '"')):
        return given, option
    path = Path(given)
    if not path.exists():
        raise Failure(
            f"{option}: there is no file {given!r}.",
            code=USAGE,
            hint=f"""Give a file, - for standard input, or JSON in quotes: {option} '{{"key": 1}}'.""",
        )
    return _read(path), str(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Failure(f"{path} is not text in UTF-8.", code=USAGE) from None
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", code=USAGE) from None
