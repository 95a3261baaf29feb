"""The digest by which an event and the tasks that wait for it find each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from engine.model.payload import Json


def event_digest(workflow: str, version: int, found: Mapping[str, Json]) -> str:
    """Return the digest of what a workflow's tasks wait for: what each path finds. 1 and 1.0 are the same."""
    pairs = [[path, _plain(found[path])] for path in sorted(found)]
    text = json.dumps([workflow, version, pairs], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
