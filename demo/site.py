"""The outside world of the demo: a web server for delivered files and a verification service that takes its time."""

from __future__ import annotations

import json
import threading
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from demo.files import sha256_of

#: How often the verification service answers "pending" before it has decided.
PENDING_ANSWERS = 2

#: Documents that were reported stolen: their holders score low.
STOLEN = frozenset({"C00STOLEN"})


class Verifications:
    """The cases of the verification service, by reference; opening a case again finds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: dict[str, str] = {}
        self._asked: dict[str, int] = {}

    def open(self, reference: str, document: str) -> None:
        """Open the case ``reference``, unless it is open already."""
        with self._lock:
            self._documents.setdefault(reference, document)
            self._asked.setdefault(reference, 0)

    def answer(self, reference: str) -> dict[str, object] | None:
        """Return how the case stands, ``None`` when there is none; asking moves it on."""
        with self._lock:
            if reference not in self._documents:
                return None
            self._asked[reference] += 1
            if self._asked[reference] <= PENDING_ANSWERS:
                return {"reference": reference, "status": "pending"}
            score = 10 if self._documents[reference] in STOLEN else 95
            return {"reference": reference, "status": "decided", "score": score}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = folder.resolve()
        self.verifications = Verifications()


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD of files with their SHA-256 as ETag; POST and GET of verifications."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/verifications/"):
            answer = self.server.verifications.answer(path.removeprefix("/verifications/"))
            self._answer(HTTPStatus.OK if answer else HTTPStatus.NOT_FOUND, answer or {"error": "no such verification"})
            return
        file = (self.server.folder / path.lstrip("/")).resolve()
        if not (file.is_relative_to(self.server.folder) and file.is_file()):
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"no file {path}"})
            return
        kind = guess_type(file.name)[0] or "application/octet-stream"
        self._send(HTTPStatus.OK, file.read_bytes(), kind, sha256_of(file))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/verifications":
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"nothing takes a POST at {self.path}"})
            return
        try:
            request = json.loads(content)
            reference, document = str(request["reference"]), str(request["document"])
        except (ValueError, KeyError, TypeError):
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "expected a JSON object with reference and document"})
            return
        self.server.verifications.open(reference, document)
        url = f"http://{self.headers['Host']}/verifications/{reference}"
        self._answer(HTTPStatus.CREATED, {"reference": reference, "status": "pending", "url": url})

    def _answer(self, status: HTTPStatus, body: dict[str, object]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str, tag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if tag:
            self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the standard library's
        """Stay silent: the demo's screen shows workflows, not requests."""


class Site(AbstractContextManager["Site"]):
    """The server on a free port of this machine (or on ``port``), up while the ``with`` block runs.

    ``folder`` is what it publishes; ``url`` is its address without a slash at the end.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._server = _Server(folder, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="site", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
