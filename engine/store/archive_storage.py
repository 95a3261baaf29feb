"""The place for archives of removed runs: a folder or a bucket, in which each is a file named like its run."""

from __future__ import annotations

import gzip
import hashlib
import re
import uuid
import zlib
from typing import Final

from engine.errors import PayloadLost, StoreUnavailable
from engine.model.payload import JsonObject
from engine.store.codec import decode, encode
from engine.store.object_files import ObjectFiles

#: Ids that are names of files as they are, on every kind of storage; others go by their digest.
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


class ArchiveStorage:
    """Keeps what can be read of removed runs, as compressed JSON; an archive can be written twice without harm."""

    def __init__(self, url: str) -> None:
        """Take fsspec's URL; see ``ObjectFiles``."""
        self._files = ObjectFiles(url, "archive storage")

    def put(self, workflow_id: str, document: JsonObject) -> None:
        """Keep the archive of a run; when this returns, it has been read back."""
        path, content = _path(workflow_id), gzip.compress(encode(document).encode(), mtime=0)
        self._files.write(path, content)
        try:
            kept = self._files.read(path)
        except FileNotFoundError:
            kept = None
        if kept != content:
            # The row that has the archive is emptied after this, so a write that only looked like one must be noticed.
            raise StoreUnavailable(f"The {self._files.name} took {path} and does not give it back as it was")

    def get(self, workflow_id: str) -> JsonObject:
        """Return the archive of a run; raises ``PayloadLost`` when it is not there, or cannot be read."""
        path = _path(workflow_id)
        try:
            document: JsonObject = decode(gzip.decompress(self._files.read(path)).decode())
        except FileNotFoundError:
            raise PayloadLost(
                f"The archive of workflow {workflow_id!r} is lost: the {self._files.name} has nothing at {path}."
            ) from None
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise PayloadLost(
                f"The archive of workflow {workflow_id!r}, at {path} in the {self._files.name}, cannot be read: {error}"
            ) from error
        return document

    def remove(self, workflow_id: str) -> None:
        """Delete the archive of a run."""
        self._files.remove(_path(workflow_id))

    def try_out(self) -> None:
        """Write something, read it back and delete it; raises what that raises."""
        name = f"try-out-{uuid.uuid4().hex}"
        self.put(name, {})
        self.remove(name)


def _path(workflow_id: str) -> str:
    digest = hashlib.sha256(workflow_id.encode("utf-8", "surrogatepass")).hexdigest()
    name = workflow_id if _PLAIN.fullmatch(workflow_id) else f"sha256-{digest}"
    return f"archives/{digest[:2]}/{name}.json.gz"
