"""Keeps pages of strangers away from what a browser would let them do: by GET, or with a body that is not JSON."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

#: What browsers say of a call that no other site has made: none, where somebody typed the address.
_OWN = ("none", "same-origin")


async def refuse_strangers(request: Request) -> None:
    """Raise 403 for what a page of another site has a browser send; whatever is no browser says nothing of a site."""
    if request.headers.get("sec-fetch-site", "none") not in _OWN:
        raise HTTPException(403, "A page of another site may not do that.")
