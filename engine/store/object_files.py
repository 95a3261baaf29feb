"""Files in a folder or a bucket, whatever fsspec can reach: written whole, or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from engine.errors import BadConfiguration, StoreUnavailable
from engine.masking import masked

_T = TypeVar("_T")


class ObjectFiles:
    """Files under one URL, by their paths below it; safe to use from many threads."""

    def __init__(self, url: str, purpose: str) -> None:
        """Take fsspec's URL, such as ``file:///var/lib/baton`` or ``s3://bucket/folder``; nothing is connected yet.

        Credentials are those that the library of the protocol finds by itself. Raises ``BadConfiguration`` when the
        protocol is unknown or its library is not installed.
        """
        #: What is said of them when they cannot be reached.
        self.name = f"{purpose} {masked(url)}"
        try:
            from fsspec.core import url_to_fs  # only who keeps something outside needs the library

            files, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise BadConfiguration(
                [
                    f"The {self.name} cannot be used: {error}. Install what it needs: "
                    "pip install 'baton-engine[payloads]', and s3fs, gcsfs or adlfs for S3, Google or Azure."
                ]
            ) from None
        self._files: Any = files
        self._root = root.rstrip("/")
        self._is_local = "file" in _protocols(files)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, over what may be there already."""
        self._reach(lambda: self._write(f"{self._root}/{path}", content))

    def read(self, path: str) -> bytes:
        """Return what is in a file; raises ``FileNotFoundError`` when there is none."""
        return self._reach(lambda: bytes(self._files.cat_file(f"{self._root}/{path}")))

    def remove(self, path: str, *, folder: bool = False) -> None:
        """Delete a file, or a folder with all that is in it; what is not there is gone already."""
        try:
            self._reach(lambda: self._files.rm(f"{self._root}/{path}", recursive=folder))
        except FileNotFoundError:
            return

    def _write(self, place: str, content: bytes) -> None:
        if not self._is_local:
            self._files.pipe_file(place, content)
            return
        self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
        part = f"{place}.{uuid.uuid4().hex}"
        with open(part, "xb") as file:  # noqa: PTH123  fsspec's own paths are texts
            file.write(content)
            file.flush()
            # The row that names the file is on disk once it is committed, and so must be the file.
            os.fsync(file.fileno())
        os.replace(part, place)  # noqa: PTH105

    def _reach(self, act: Callable[[], _T]) -> _T:
        """Do something with the files; what goes wrong there may go well later, but for what is missing."""
        try:
            return act()
        except FileNotFoundError:
            raise
        except Exception as error:
            # Each protocol has errors of its own.
            raise StoreUnavailable(f"The {self.name} cannot be used: {type(error).__name__}: {error}") from error


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
