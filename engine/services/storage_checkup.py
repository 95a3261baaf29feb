"""The doctor's look at the storages outside of the database: can something be written there, and read back?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from engine.config import Settings, variable_of
from engine.errors import BadConfiguration, PayloadLost, StoreUnavailable
from engine.masking import masked
from engine.services.finding import Finding, sentence
from engine.services.opening import archive_storage, payload_storage


class _Storage(Protocol):
    def try_out(self) -> None: ...


def examine_storages(settings: Settings) -> Iterator[Finding]:
    """Write something and read it back, wherever payloads and archives are kept outside of their rows."""
    if settings.payload_storage_url is not None:
        where = (variable_of("payload_storage_url"), masked(settings.payload_storage_url))
        yield _examined("payload storage", *where, lambda: payload_storage(settings))
    if settings.archive_url is not None:
        where = (variable_of("archive_url"), masked(settings.archive_url))
        yield _examined("archive storage", *where, lambda: archive_storage(settings))


def _examined(subject: str, variable: str, where: str, opened: Callable[[], _Storage | None]) -> Finding:
    try:
        storage = opened()
        assert storage is not None
        storage.try_out()
    except BadConfiguration as error:
        remedy = "Do that, then start the doctor again."
        return Finding(subject=subject, state="fault", what=" ".join(error.faults), remedy=remedy)
    except (StoreUnavailable, PayloadLost) as error:
        remedy = f"Mend it, or say where it is in {variable} (now {where})."
        return Finding(subject=subject, state="fault", what=sentence(error), remedy=remedy)
    return Finding(subject=subject, state="ok", what=f"{where} can be written and read")
