"""HTTP: calls a web service (Conductor 3.14)."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec

from engine.masking import masked
from engine.model.payload import Json, JsonObject
from engine.outgoing.http_client import new_client, within
from workers.failure import TaskFailure
from workers.http_body import TooLarge, unpacked

#: Milliseconds, Conductor's defaults for connecting and for each wait for data.
_CONNECT_MS: Final = 3_000
_READ_MS: Final = 3_000
#: Seconds for a whole call with all its redirects, however often a few more bytes arrive.
_TOTAL_SECONDS: Final = 300.0
#: Redirects that one call follows.
_MOST_REDIRECTS: Final = 10
#: Bytes; a larger answer fails the task, because it would have to travel on as the task's output.
MAX_BODY: Final = 5 * 1024 * 1024
#: Characters of the answer quoted in the reason of a failure; all of it is in the output.
_QUOTED: Final = 200

_METHOD: Final = re.compile(r"[A-Z]{1,20}")
#: Methods that speak to proxies rather than to services.
_REFUSED_METHODS: Final = frozenset({"CONNECT", "TRACE"})
#: Headers that go along to another host; whatever else was given may be meant for the first one alone.
_HARMLESS: Final = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"

#: The process's client.
_CLIENT: Final = new_client()


def run(_: Any, /, **inputs: Json) -> dict[str, Json]:
    """Return ``{"response": {"body", "headers", "statusCode", "reasonPhrase"}}`` of a call that ended in 2xx.

    The request is under ``http_request`` or flat among the inputs. Any other outcome raises ``TaskFailure``, with the
    same output where there was an answer. Nothing is tried again here: the workflow's definition says when to.
    """
    given = inputs.get("http_request")
    request = given if isinstance(given, dict) else inputs
    uri, method = _address(request)
    shown = masked(uri)
    try:
        with within(_TOTAL_SECONDS):
            first = _CLIENT.build_request(
                method, uri, headers=_headers(request), timeout=_timeout(request), **_content(request)
            )
            response, content = _exchange(first)
    except httpx.TimeoutException as error:
        kind = "connect" if isinstance(error, (httpx.ConnectTimeout, httpx.PoolTimeout)) else "read"
        raise _failed(f'I/O error on {method} request for "{shown}": {kind} timed out') from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise _failed(f'I/O error on {method} request for "{shown}": {masked(str(error))}') from None
    output: dict[str, Json] = {"response": _described(response, content)}
    if response.is_success:
        return output
    if response.is_redirect:
        raise TaskFailure("No response from the remote service", output)
    quoted = _text(response, content)[:_QUOTED]
    outcome = f"{response.status_code} {response.reason_phrase}"
    raise _failed(f'{outcome} on {method} request for "{shown}": "{quoted}"', output)


def _exchange(request: httpx.Request) -> tuple[httpx.Response, bytes]:
    """Return the answer and its body; a GET follows redirects, each of them judged like the first address."""
    for _ in range(_MOST_REDIRECTS + 1):
        response = _CLIENT.send(request, stream=True)
        try:
            following = response.next_request if request.method == "GET" else None
            if following is None:
                return response, _read(response)
        finally:
            response.close()
        request = _without_credentials(following) if _is_elsewhere(request.url, following.url) else following
    raise ValueError(f"more than {_MOST_REDIRECTS} redirects")


def _is_elsewhere(before: httpx.URL, after: httpx.URL) -> bool:
    return (before.scheme, before.host, before.port) != (after.scheme, after.host, after.port)


def _without_credentials(request: httpx.Request) -> httpx.Request:
    kept = [(name, value) for name, value in request.headers.multi_items() if name in _HARMLESS]
    return httpx.Request(request.method, request.url, headers=kept, extensions=request.extensions)


def _address(request: JsonObject) -> tuple[str, str]:
    """Return where to call, and how."""
    uri, method = request.get("uri"), request.get("method")
    if not isinstance(uri, str) or not uri:
        raise TaskFailure("Missing HTTP URI.  See documentation for HttpTask for required input parameters")
    if not isinstance(method, str) or not method:
        raise TaskFailure("No HTTP method specified")
    if not _METHOD.fullmatch(method.upper()) or method.upper() in _REFUSED_METHODS:
        raise TaskFailure(f"Invalid HTTP method: {method[:100]}")
    given = request.get("headers")
    if given is not None and not isinstance(given, dict):
        raise TaskFailure("headers must be an object: {name: value}")
    return uri, method.upper()


def _headers(request: JsonObject) -> list[tuple[str, str]]:
    """Return the headers to send: a list makes several of one name, null none."""
    accept, content_type = request.get("accept") or "application/json", _content_type(request)
    headers = []
    for name, value in (request.get("headers") or {}).items():
        if name.lower() not in ("accept", "content-type"):
            headers += [(name, str(one)) for one in (value if isinstance(value, list) else [value]) if one is not None]
    headers.append(("Accept", ", ".join(map(str, accept)) if isinstance(accept, list) else str(accept)))
    if content_type != _MULTIPART:
        # httpx writes the one of a multipart body itself, with its boundary.
        headers.append(("Content-Type", content_type))
    return headers


def _content_type(request: JsonObject) -> str:
    """Return ``contentType``, or else the header of that name, or JSON."""
    if request.get("contentType"):
        return str(request["contentType"])
    given = [v for k, v in (request.get("headers") or {}).items() if k.lower() == "content-type" and v is not None]
    return str(given[0]) if given else "application/json"


def _content(request: JsonObject) -> dict[str, Any]:
    """Return the body in the form of its content type; text is sent as it is."""
    body, content_type = request.get("body"), _content_type(request)
    if body is None:
        return {}
    if isinstance(body, str):
        return {"content": body.encode()}
    if isinstance(body, dict) and content_type.startswith(_FORM):
        return {"content": urlencode({k: v for k, v in body.items() if v is not None}, doseq=True).encode()}
    if isinstance(body, dict) and content_type == _MULTIPART:
        return {"files": {k: (None, str(v)) for k, v in body.items() if v is not None}}
    return {"content": msgspec.json.encode(body)}


def _timeout(request: JsonObject) -> httpx.Timeout:
    """Return both time limits, which are given in milliseconds."""
    connect = _seconds(request, "connectionTimeOut", _CONNECT_MS)
    return httpx.Timeout(_seconds(request, "readTimeOut", _READ_MS), connect=connect, pool=connect)


def _seconds(request: JsonObject, name: str, default_ms: int) -> float:
    value = request.get(name)
    try:
        milliseconds = float(default_ms if value is None else value)
    except (TypeError, ValueError):
        raise TaskFailure(f"{name} is {value!r}: give a number of milliseconds") from None
    return milliseconds / 1_000 if milliseconds > 0 else default_ms / 1_000


def _read(response: httpx.Response) -> bytes:
    """Return the body, within its limit of size."""
    try:
        return unpacked(response.iter_raw(), response.headers.get("content-encoding", ""), MAX_BODY)
    except TooLarge:
        output = {"response": _described(response, b"")}
        raise _failed(f"the answer has more than {MAX_BODY:,} bytes", output) from None


def _described(response: httpx.Response, content: bytes) -> dict[str, Json]:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.raw:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    return {
        "body": _body(response, content),
        "headers": headers,
        "statusCode": response.status_code,
        "reasonPhrase": response.reason_phrase,
    }


def _body(response: httpx.Response, content: bytes) -> Json:
    """Return the body as Conductor does: objects and lists as they are, numbers as doubles, all else as text."""
    if not content:
        return None
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _text(response, content)
    if isinstance(value, (dict, list)):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, str) else _text(response, content)


def _text(response: httpx.Response, content: bytes) -> str:
    try:
        return content.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def _failed(what: str, output: JsonObject | None = None) -> TaskFailure:
    return TaskFailure(f"Failed to invoke HTTP task due to: {what}", output)
