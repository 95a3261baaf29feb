"""Answers that carry warnings, where clients of Conductor do not trip over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

from engine.errors import Fault
from engine.model.payload import Json

#: A JSON list of ``{"path", "message"}``. Conductor's answers to a registration have no body, and some of its clients
#: read what there is as something else.
HEADER: Final = "Baton-Warnings"

#: Characters of the header: proxies refuse headers above 4 or 8 KB.
_LONGEST: Final = 3_000


def described(faults: Iterable[Fault], **more: Json) -> list[dict[str, Json]]:
    """Return faults as JSON, each with its path and message."""
    return [{**more, "path": fault.path, "message": fault.removeprefix(f"{fault.path}: ")} for fault in faults]


def warned(response: Response, warnings: Sequence[Json]) -> Response:
    """Return the response with as many warnings in its header as have room; validation tells them all."""
    shown: list[Json] = []
    room = _LONGEST
    for warning in warnings:
        room -= len(json.dumps(warning)) + 2
        if room < 0:
            left = len(warnings) - len(shown)
            shown.append({"message": f"and {left} more: ask POST .../validate for all of them"})
            break
        shown.append(warning)
    if shown:
        response.headers[HEADER] = json.dumps(shown)
    return response
