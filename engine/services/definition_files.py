"""Finds definitions in files and folders: of workflows, tasks, event handlers and schedules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from engine.errors import BadMessage, NotFound
from engine.model.payload import Json
from engine.wire.json_text import parse_text

Kind: TypeAlias = Literal["task", "workflow", "handler", "schedule"]

#: What there is, in the order in which one needs the other, and the folders that it lies in.
KINDS: Final[tuple[Kind, ...]] = ("task", "workflow", "handler", "schedule")
_ROOMS: Final[dict[str, Kind]] = {f"{kind}s": kind for kind in KINDS}

#: Fields that only one kind has.
_TELLING: Final[tuple[tuple[str, Kind], ...]] = (
    ("tasks", "workflow"),
    ("actions", "handler"),
    ("startWorkflowRequest", "schedule"),
    ("cronExpression", "schedule"),
    ("cronSchedules", "schedule"),
)


@dataclass(frozen=True)
class Written:
    """One definition as it stands in a file; ``place`` is its path inside a file that holds a list, such as ``[2]``."""

    file: Path
    kind: Kind
    document: Json
    place: str = ""

    @property
    def name(self) -> str:
        """Its name, or where it stands if it has none."""
        name = self.document.get("name") if isinstance(self.document, dict) else None
        return name if isinstance(name, str) and name else f"{self.file.name}{self.place}"


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a definition: the file, where in it (JSON path, may be empty), and what."""

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.path, self.message) if part)


def find(paths: Iterable[Path]) -> tuple[list[Written], list[Mistake]]:
    """Return every definition in these files and folders, tasks first, and the files that cannot be read.

    A folder with ``workflows`` or ``tasks`` in it is read there, in ``handlers`` and in ``schedules`` only (inputs may
    lie beside them); any other folder is read itself. A Python file is run only where it is named, never because it
    lies in a folder. Raises ``NotFound`` when there is no definition at all.
    """
    paths = list(paths)
    found: list[Written] = []
    mistakes: list[Mistake] = []
    for file in _files(paths):
        try:
            found.extend(_definitions(file))
        except BadMessage as error:
            mistakes.append(Mistake(str(file), "", str(error)))
    if not found and not mistakes:
        raise NotFound(
            f"There is no definition in {', '.join(map(str, paths))}: definitions are *.json files, in a folder or "
            "in its subfolders workflows/, tasks/, handlers/ and schedules/, or Python files that are named."
        )
    return sorted(found, key=lambda each: KINDS.index(each.kind)), mistakes


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        rooms = [path / name for name in _ROOMS if (path / name).is_dir()]
        if not {room.name for room in rooms} & {"workflows", "tasks"}:
            rooms = [path]
        for room in rooms:
            yield from sorted(file for file in room.rglob("*.json") if file.is_file())


def _definitions(file: Path) -> Iterator[Written]:
    if file.suffix == ".py":
        yield from _in_python(file)
        return
    content = parse_text(_text(file), "the file")
    if isinstance(content, list):
        for number, document in enumerate(content):
            yield Written(file, _kind(file, document), document, f"[{number}]")
    else:
        yield Written(file, _kind(file, content), content)


def _in_python(file: Path) -> Iterator[Written]:
    from engine.dsl.module import load_file  # which takes half a second, that nobody who writes JSON should wait

    for each in load_file(file):
        document = each.to_json()
        yield Written(file, "workflow" if "tasks" in document else "task", document, each.name)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadMessage("the file is not text in UTF-8") from None
    except OSError as error:
        raise BadMessage(f"the file cannot be read: {error.strerror}") from None


def _kind(file: Path, document: Json) -> Kind:
    """Return what a document is: by the fields that only one kind has; else the folder's name decides."""
    if isinstance(document, dict):
        for field, kind in _TELLING:
            if field in document:
                return kind
    return _ROOMS.get(file.parent.name, "task")
