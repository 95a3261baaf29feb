"""The place for large payloads: a folder or a bucket, whatever fsspec can reach."""

from __future__ import annotations

import hashlib
import re
import uuid

from engine.errors import NotFound, PayloadLost
from engine.store.object_files import ObjectFiles

#: Every path that there can be. Nothing else is ever asked for, so that no path leads out of the storage.
_PATH = re.compile(r"runs/[0-9a-f]{2}/[0-9a-f]{62}/[0-9a-f]{64}\.json|uploads/[0-9a-f]{32}\.json")


class PayloadStorage:
    """Keeps JSON texts under paths; a text is named by its digest, so that it can be written twice without harm."""

    def __init__(self, url: str) -> None:
        """Take fsspec's URL; see ``ObjectFiles``."""
        self._files = ObjectFiles(url, "payload storage")

    def put(self, workflow_id: str, text: bytes) -> str:
        """Keep a text of a run and return its path."""
        path = f"{_folder(workflow_id)}/{hashlib.sha256(text).hexdigest()}.json"
        self._files.write(path, text)
        return path

    def new_upload(self) -> str:
        """Return a path for a text that somebody is going to send."""
        return f"uploads/{uuid.uuid4().hex}.json"

    def receive(self, path: str, text: bytes) -> None:
        """Keep what was sent for a path of ``new_upload``; raises ``NotFound`` for any other path."""
        if not path.startswith("uploads/") or not _PATH.fullmatch(path):
            raise NotFound(f"Nothing can be stored at {path[:200]!r}: ask for a location first.")
        self._files.write(path, text)

    def get(self, path: str) -> bytes:
        """Return the text at a path; raises ``PayloadLost`` when there is none, or it is not what was stored."""
        if not _PATH.fullmatch(path):
            raise PayloadLost(f"{path[:200]!r} is no path of a payload.")
        try:
            text = self._files.read(path)
        except FileNotFoundError:
            raise PayloadLost(f"The {self._files.name} has nothing at {path}.") from None
        if path.startswith("runs/") and hashlib.sha256(text).hexdigest() != path[-69:-5]:
            raise PayloadLost(f"What the {self._files.name} has at {path} is not what was stored there.")
        return text

    def try_out(self) -> None:
        """Write something, read it back and delete it; raises what that raises."""
        path = self.new_upload()
        self.receive(path, b"{}")
        self.get(path)
        self._files.remove(path)

    def remove(self, workflow_id: str) -> None:
        """Delete everything that was kept of a run."""
        self._files.remove(_folder(workflow_id), folder=True)


def _folder(workflow_id: str) -> str:
    digest = hashlib.sha256(workflow_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"runs/{digest[:2]}/{digest[2:]}"
