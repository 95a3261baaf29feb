"""Searches as messages ask for them and answer them."""

from __future__ import annotations

from engine.api.search import PAGE_LIMIT, Asked
from engine.api.searches import Shown
from engine.model.payload import JsonObject


def asked_for(asked: JsonObject) -> Asked:
    """Return what a search asks for; without a size, that is all that a page may have, as in Conductor."""
    usual = Asked()
    return Asked(
        query=asked.get("query", usual.query),
        free_text=asked.get("freeText", usual.free_text),
        sort=asked.get("sort", usual.sort),
        start=asked.get("start", usual.start),
        size=asked.get("size", PAGE_LIMIT),
    )


def answered(found: Shown) -> JsonObject:
    """Return the answer to a search."""
    page, results = found
    return {"totalHits": page.total, "results": results}
