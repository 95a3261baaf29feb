"""Registered definitions as the road needs them: ready to start, read again only when somebody registers something."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from engine.decider.named_schema import missing_schemas, written_out
from engine.decider.snapshot import hash_of, snapshot
from engine.decider.validate import check_workflow
from engine.errors import NotFound
from engine.log import get_logger
from engine.model.definition import TaskDef, WorkflowDef, walk
from engine.model.payload import Json
from engine.model.schema_def import SchemaDef, SchemaKey
from engine.store.port import Transaction

log = get_logger(__name__)

#: Steps of all snapshots that are kept, at some five kilobytes each.
_MOST_STEPS: Final = 50_000

#: Names looked for and remembered, whether found or not.
_MOST_NAMES: Final = 10_000


class Catalog:
    """Definitions and their snapshots, kept until the store's registry changes."""

    def __init__(self) -> None:
        self._version: str | None = None
        self.task_defs: dict[str, TaskDef] = {}
        self._latest: dict[str, int] = {}
        self._schemas: dict[SchemaKey, SchemaDef] = {}
        self._resolved: dict[tuple[str, int], tuple[str, WorkflowDef]] = {}
        self._found: dict[tuple[str, int | None], WorkflowDef | None] = {}
        #: Snapshots of running workflows by their hash.
        self.by_hash: dict[str, WorkflowDef] = {}
        self._steps = 0

    def refresh(self, transaction: Transaction) -> None:
        """Forget everything that may be out of date."""
        version = transaction.catalog_version()
        if version == self._version:
            return
        self._version = version
        self._schemas = transaction.schemas()
        self.task_defs = {name: written_out(each, self._schemas) for name, each in transaction.task_defs().items()}
        self._latest = {}
        for definition in transaction.workflow_defs():
            self._latest[definition.name] = max(definition.version, self._latest.get(definition.name, 0))
        self._resolved.clear()
        self._found.clear()

    def resolve(self, transaction: Transaction, name: str, version: int | None) -> tuple[str, WorkflowDef]:
        """Return the hash and snapshot of a registered definition; version None or 0 is the highest there is.

        Raises ``NotFound`` with the sentence that clients know.
        """
        key = (name, version or None)
        if key not in self._found:
            if len(self._found) >= _MOST_NAMES:
                self._found.clear()
            self._found[key] = transaction.workflow_def(*key)
        definition = self._found[key]
        if definition is None:
            raise NotFound(f"No such workflow defined. name={name}, version={'null' if version is None else version}")
        identity = (definition.name, definition.version)
        if identity not in self._resolved:
            self._resolved[identity] = self._keep(transaction, definition)
        return self._resolved[identity]

    def inline(self, transaction: Transaction, document: Json, *, by_step: bool) -> tuple[str, WorkflowDef]:
        """Return the hash and snapshot of a definition that came with the start itself, maybe that of a step.

        Raises ``BadDefinition`` with every mistake in it.
        """
        return self._keep(transaction, check_workflow(document, registered=not by_step))

    def _keep(self, transaction: Transaction, definition: WorkflowDef) -> tuple[str, WorkflowDef]:
        whole = snapshot(definition, self.task_defs, self._latest, self._schemas)
        digest = hash_of(whole)
        if digest not in self.by_hash:
            for name, version in missing_schemas(whole):
                log.warning("schema.missing", workflow=whole.name, schema=name, version=version)
            transaction.put_snapshot({digest: whole})
            self._remember(digest, whole)
        return digest, self.by_hash[digest]

    def snapshots(self, transaction: Transaction, hashes: set[str]) -> None:
        """Make sure that these snapshots are in ``by_hash``."""
        missing = hashes - self.by_hash.keys()
        if not missing:
            return
        for digest, whole in transaction.snapshots(missing).items():
            self._remember(digest, whole, wanted=hashes)

    def _remember(self, digest: str, whole: WorkflowDef, wanted: Set[str] = frozenset()) -> None:
        """Keep a snapshot, and forget the oldest where there are too many: anybody may start a run of his own make."""
        self.by_hash[digest] = whole
        self._steps += _weight(whole)
        for old in tuple(self.by_hash):
            if self._steps <= _MOST_STEPS:
                break
            if old != digest and old not in wanted:
                self._steps -= _weight(self.by_hash.pop(old))


def _weight(definition: WorkflowDef) -> int:
    """Return how much memory a definition takes, in steps."""
    return 1 + sum(1 for _ in walk(definition.tasks))
