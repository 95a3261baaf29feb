"""Files of a workspace: found only inside it, and written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from workers import TerminalError


def inside(workspace: str, name: str) -> Path:
    """Return the path of ``name`` in ``workspace``.

    Raises ``TerminalError`` when the name leads out of the workspace: no retry changes that.
    """
    root = Path(workspace).resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise TerminalError(f"{name!r} leads out of the workspace: name a file below it")
    return path


def existing(workspace: str, name: str) -> Path:
    """Return the path of the file ``name`` in ``workspace``; raises ``TerminalError`` when there is none."""
    path = inside(workspace, name)
    if not path.is_file():
        raise TerminalError(f"there is no file {name!r} in the workspace: put it there and start the workflow again")
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` in one step, so that a reader or a second run never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
