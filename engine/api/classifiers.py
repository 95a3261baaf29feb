"""Which workflows are of which kind, for searches that want one kind only (Conductor's ``classifier``)."""

from __future__ import annotations

from threading import Lock
from typing import Final

from engine.search.condition import (
    EVERYTHING,
    Condition,
    Matches,
    Present,
    exchanged,
    fields_of,
    opposite,
    wanted,
)
from engine.search.predicate import holds
from engine.search.subject import RUN_CLASSIFIER, RUN_NAME
from engine.store.port import Transaction

#: What a workflow is whose definition says nothing, and most are: they are not listed by name.
_USUAL: Final = "workflow"


class Classifiers:
    """The names of workflows by what their latest definition says they are; read again when definitions change."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._version = ""
        self._names: dict[str, list[str]] = {}

    def of(self, given: str | None) -> Condition:
        """Return what ``classifier=agent,workflow`` asks of runs."""
        kinds = [kind.strip() for kind in (given or "").split(",") if kind.strip()]
        return wanted(RUN_CLASSIFIER, kinds) if kinds else EVERYTHING

    def as_names(self, tx: Transaction, condition: Condition) -> Condition:
        """Return the condition with names of workflows in the place of their kinds."""
        if RUN_CLASSIFIER not in fields_of(condition):
            return condition
        names = self._known(tx)

        def named(leaf: Matches | Present) -> Condition:
            def fits(kind: str) -> bool:
                return holds(leaf, lambda _: kind)

            if not fits(_USUAL):
                return wanted(RUN_NAME, [name for kind, of_kind in names.items() if fits(kind) for name in of_kind])
            others = [name for kind, of_kind in names.items() if not fits(kind) for name in of_kind]
            return opposite(wanted(RUN_NAME, others)) if others else EVERYTHING

        return exchanged(condition, RUN_CLASSIFIER, named)

    def _known(self, tx: Transaction) -> dict[str, list[str]]:
        version = tx.catalog_version()
        with self._lock:
            if version == self._version:
                return self._names
        latest = {definition.name: definition.classifier for definition in tx.workflow_defs()}
        names: dict[str, list[str]] = {}
        for name, kind in latest.items():
            if kind != _USUAL:
                names.setdefault(kind, []).append(name)
        with self._lock:
            self._version, self._names = version, names
        return names
