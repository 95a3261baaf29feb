"""The doctor's look at the payload storage: can something be written there, and read back?"""

from __future__ import annotations

from collections.abc import Iterator

from engine.config import Settings, variable_of
from engine.errors import BadConfiguration, PayloadLost, StoreUnavailable
from engine.masking import masked
from engine.services.finding import Finding, sentence
from engine.services.opening import payload_storage

_SUBJECT = "payload storage"


def examine_payloads(settings: Settings) -> Iterator[Finding]:
    """Write a payload and read it back, where payloads are kept outside of their rows."""
    if settings.payload_storage_url is None:
        return
    where = masked(settings.payload_storage_url)
    try:
        storage = payload_storage(settings)
        assert storage is not None
        storage.try_out()
    except BadConfiguration as error:
        remedy = "Do that, then start the doctor again."
        yield Finding(subject=_SUBJECT, state="fault", what=" ".join(error.faults), remedy=remedy)
    except (StoreUnavailable, PayloadLost) as error:
        remedy = f"Mend it, or say where it is in {variable_of('payload_storage_url')} (now {where})."
        yield Finding(subject=_SUBJECT, state="fault", what=sentence(error), remedy=remedy)
    else:
        yield Finding(subject=_SUBJECT, state="ok", what=f"{where} can be written and read")
