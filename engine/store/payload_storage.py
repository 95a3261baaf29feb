"""The place for large payloads: a folder or a bucket, whatever fsspec can reach."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from engine.errors import BadConfiguration, NotFound, PayloadLost, StoreUnavailable
from engine.masking import masked

_T = TypeVar("_T")

#: Every path that there can be. Nothing else is ever asked for, so that no path leads out of the storage.
_PATH = re.compile(r"runs/[0-9a-f]{2}/[0-9a-f]{62}/[0-9a-f]{64}\.json|uploads/[0-9a-f]{32}\.json")


class PayloadStorage:
    """Keeps JSON texts under paths; a text is named by its digest, so that it can be written twice without harm."""

    def __init__(self, url: str) -> None:
        """Take fsspec's URL, such as ``file:///var/lib/baton`` or ``s3://bucket/folder``; nothing is connected yet.

        Credentials are those that the library of the protocol finds by itself. Raises ``BadConfiguration`` when the
        protocol is unknown or its library is not installed.
        """
        self._url = masked(url)
        try:
            from fsspec.core import url_to_fs  # only who keeps payloads outside needs the library

            files, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise BadConfiguration(
                [
                    f"The payload storage {self._url} cannot be used: {error}. Install what it needs: "
                    "pip install 'baton-engine[payloads]', and s3fs, gcsfs or adlfs for S3, Google or Azure."
                ]
            ) from None
        self._files: Any = files
        self._root = root.rstrip("/")
        self._is_local = "file" in _protocols(files)

    def put(self, workflow_id: str, text: bytes) -> str:
        """Keep a text of a run and return its path."""
        folder = hashlib.sha256(workflow_id.encode("utf-8", "surrogatepass")).hexdigest()
        path = f"runs/{folder[:2]}/{folder[2:]}/{hashlib.sha256(text).hexdigest()}.json"
        self._reach(lambda: self._write(path, text))
        return path

    def new_upload(self) -> str:
        """Return a path for a text that somebody is going to send."""
        return f"uploads/{uuid.uuid4().hex}.json"

    def receive(self, path: str, text: bytes) -> None:
        """Keep what was sent for a path of ``new_upload``; raises ``NotFound`` for any other path."""
        if not path.startswith("uploads/") or not _PATH.fullmatch(path):
            raise NotFound(f"Nothing can be stored at {path[:200]!r}: ask for a location first.")
        self._reach(lambda: self._write(path, text))

    def get(self, path: str) -> bytes:
        """Return the text at a path; raises ``PayloadLost`` when there is none, or it is not what was stored."""
        if not _PATH.fullmatch(path):
            raise PayloadLost(f"{path[:200]!r} is no path of a payload.")
        try:
            text = self._reach(lambda: bytes(self._files.cat_file(f"{self._root}/{path}")))
        except FileNotFoundError:
            raise PayloadLost(f"The payload storage {self._url} has nothing at {path}.") from None
        if path.startswith("runs/") and hashlib.sha256(text).hexdigest() != path[-69:-5]:
            raise PayloadLost(f"What the payload storage {self._url} has at {path} is not what was stored there.")
        return text

    def try_out(self) -> None:
        """Write something, read it back and delete it; raises what that raises."""
        path = self.new_upload()
        self.receive(path, b"{}")
        self.get(path)
        self._reach(lambda: self._files.rm(f"{self._root}/{path}"))

    def remove(self, workflow_id: str) -> None:
        """Delete everything that was kept of a run."""
        folder = hashlib.sha256(workflow_id.encode("utf-8", "surrogatepass")).hexdigest()
        place = f"{self._root}/runs/{folder[:2]}/{folder[2:]}"
        try:
            self._reach(lambda: self._files.rm(place, recursive=True))
        except FileNotFoundError:
            return

    def _write(self, path: str, text: bytes) -> None:
        place = f"{self._root}/{path}"
        if not self._is_local:
            self._files.pipe_file(place, text)
            return
        self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
        part = f"{place}.{uuid.uuid4().hex}"
        with open(part, "xb") as file:  # noqa: PTH123  fsspec's own paths are texts
            file.write(text)
            file.flush()
            # The row that names the file is on disk once it is committed, and so must be the file.
            os.fsync(file.fileno())
        os.replace(part, place)  # noqa: PTH105

    def _reach(self, act: Callable[[], _T]) -> _T:
        """Do something with the storage; what goes wrong there may go well later, but for what is missing."""
        try:
            return act()
        except FileNotFoundError:
            raise
        except Exception as error:
            # Each protocol has errors of its own.
            raise StoreUnavailable(
                f"The payload storage {self._url} cannot be used: {type(error).__name__}: {error}"
            ) from error


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
