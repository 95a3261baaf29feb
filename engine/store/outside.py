"""Large inputs and outputs are kept outside of their rows: moved out when a run is saved, fetched when it is loaded.

In the place of the payload the column then has a list of the path and the size. Payloads are objects, so nothing that
people store can be taken for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import PayloadLost, Transient
from engine.log import get_logger
from engine.model.execution import Task, Workflow
from engine.model.payload import Json, JsonObject, StoredOutside
from engine.store.archive_storage import ArchiveStorage
from engine.store.codec import decode, encode
from engine.store.payload_storage import PayloadStorage
from engine.store.port import Rows, Save

_log = get_logger(__name__)

_R = TypeVar("_R", Workflow, Task)

#: What may be moved out. Variables have a limit that fits into a row.
_MOVED: Final = ("input", "output")


class Outside(Struct, frozen=True):
    """Where payloads go, and from what size on, and where archives are; without a storage none is moved."""

    storage: PayloadStorage | None = None
    threshold_bytes: int = 0
    archives: ArchiveStorage | None = None

    def moved(self, saves: Sequence[Save]) -> Sequence[Save]:
        """Return the decisions as their rows are to be written; what is large has been stored outside before.

        A payload that is the very same object as before is left alone, as by whoever writes the row.
        """
        return saves if self.storage is None else [self._moved(save) for save in saves]

    def _moved(self, save: Save) -> Save:
        run = save.workflow.id
        before = save.tasks_before
        return replace(
            save,
            workflow=self._without_large(save.workflow, save.before, run),
            inserted=[self._without_large(task, None, run) for task in save.inserted],
            updated=[self._without_large(task, before.get(task.seq), run) for task in save.updated],
        )

    def _without_large(self, record: _R, before: _R | None, run: str) -> _R:
        assert self.storage is not None
        changed: dict[str, Json] = {}
        for name in _MOVED:
            payload = getattr(record, name)
            if not payload or (before is not None and payload is getattr(before, name)):
                continue
            if isinstance(payload, StoredOutside):
                changed[name] = [payload.path, payload.size]
                continue
            text = encode(payload).encode()
            if len(text) > self.threshold_bytes:
                changed[name] = [self.storage.put(run, text), len(text)]
        return replace(record, **changed) if changed else record

    def archive(self, workflow_id: str) -> JsonObject | None:
        """Return the archive of a run that is kept outside, None where nobody knows the way there."""
        return None if self.archives is None else self.archives.get(workflow_id)

    def forget(self, workflow_ids: Iterable[str]) -> None:
        """Delete what is kept of runs whose rows are gone; what cannot be reached just now stays, and is in no way."""
        if self.storage is None:
            return
        for each in workflow_ids:
            try:
                self.storage.remove(each)
            except Transient as error:
                _log.warning("payloads.left", workflow_id=each, reason=str(error))

    def put_aside(self, record: _R, run: str) -> _R:
        """Return a record that is kept beside the rows, as ``moved`` returns those in them."""
        return record if self.storage is None else self._without_large(record, None, run)

    def had_aside(self, record: _R) -> _R:
        """Return a record that was kept beside the rows with what is outside of it; what is lost is left out."""
        return self._with_large(record, [], [])

    def returned(self, rows: Rows) -> Rows:
        """Return a run with what is kept outside of its rows; what cannot be had any more makes it ``unreadable``."""
        lost: list[str] = []
        #: How much larger the payloads are than what stands for them in the rows.
        sizes: list[int] = []
        workflow = self._with_large(rows.workflow, lost, sizes)
        tasks = tuple(self._with_large(task, lost, sizes) for task in rows.tasks)
        if not sizes:
            return rows
        return Rows(workflow, tasks, rows.payload_bytes + sum(sizes), " ".join(lost) or None)

    def _with_large(self, record: _R, lost: list[str], sizes: list[int]) -> _R:
        found: dict[str, Json] = {}
        for name in _MOVED:
            place = getattr(record, name)
            if not isinstance(place, list):
                continue
            path, size = place
            sizes.append(size - len(encode(place)))
            found[name] = StoredOutside(path, size)
            try:
                found[name] = StoredOutside(path, size, self._fetched(path))
            except PayloadLost as error:
                lost.append(f"The {name} of {_named(record)} is lost: {error}")
        return replace(record, **found) if found else record

    def _fetched(self, path: str) -> Mapping[str, Json]:
        if self.storage is None:
            raise PayloadLost(f"It is kept at {path} in a payload storage, and BATON_PAYLOAD_STORAGE_URL names none.")
        content: Mapping[str, Json] = decode(self.storage.get(path))
        return content


def listed(record: _R) -> _R:
    """Return a run or a task for a list: what is kept outside is not fetched, only its place is known."""
    places = {name: StoredOutside(*place) for name in _MOVED if isinstance(place := getattr(record, name), list)}
    return replace(record, **places) if places else record


def _named(record: Workflow | Task) -> str:
    return f"task {record.id} ({record.ref})" if isinstance(record, Task) else f"workflow {record.id}"
