"""Writes our part of a `.env` file and takes it out again; what others wrote there stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FIRST = "# written by `make up`, removed by `make down`"
LAST = "# end of what `make up` wrote"


def write(file: Path, values: Mapping[str, str]) -> None:
    """Put the values into the file, in place of what was written before; only its owner may read it."""
    forget(file)
    others = file.read_text() if file.exists() else ""
    file.touch(0o600)
    file.chmod(0o600)
    lines = [FIRST, *(f"{name}={value}" for name, value in values.items()), LAST]
    # The last of two values counts: ours, for as long as the stack is up.
    file.write_text(others + "".join(f"{line}\n" for line in lines))


def forget(file: Path) -> None:
    """Take what we wrote out of the file, and the file away when nothing else is in it."""
    if not file.exists():
        return
    before, mark, rest = file.read_text().partition(FIRST)
    if not mark:
        return
    others = before + rest.partition(LAST)[2].lstrip("\n")
    if others.strip():
        file.write_text(others)
    else:
        file.unlink()
