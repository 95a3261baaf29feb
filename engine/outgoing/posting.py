"""Posting a document to an address: taken is what was answered with 2xx, and everything else has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from engine.masking import masked
from engine.outgoing.http_client import new_client, within
from engine.outgoing.network import AddressRefused

#: Answers that say that nothing will ever be taken there.
_GONE: Final = 410

#: The process's client.
_CLIENT: Final = new_client()


class NotTaken(Exception):
    """A document was not taken; ``final`` says that trying again cannot help."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(reason)


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> None:
    """Post JSON and return once it was answered with 2xx; raise ``NotTaken`` otherwise. Redirects are not followed."""
    try:
        with within(timeout_seconds):
            request = _CLIENT.build_request(
                "POST",
                url,
                content=body,
                headers={"Content-Type": "application/json", "User-Agent": "baton", **headers},
                timeout=timeout_seconds,
            )
            response = _CLIENT.send(request, stream=True)
            response.close()
    except httpx.TimeoutException:
        raise NotTaken(f"no answer within {timeout_seconds:g} s") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, ValueError, TypeError) as error:
        raise NotTaken(f"it cannot be called: {masked(str(error))}", final=True) from None
    except httpx.HTTPError as error:
        raise NotTaken(masked(str(error)) or type(error).__name__, final=_is_refused(error)) from None
    if not response.is_success:
        reason = f"it answered {response.status_code} {response.reason_phrase}"
        raise NotTaken(reason, final=response.status_code == _GONE)


def _is_refused(error: BaseException | None) -> bool:
    """Return whether the address may not be called at all."""
    while error is not None:
        if isinstance(error, AddressRefused):
            return True
        error = error.__cause__ or error.__context__
    return False
