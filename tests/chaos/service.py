"""A small web service for HTTP tasks, which refuses some calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, urlsplit

#: One call in so many is refused.
_REFUSED = 3

_CALLS = count(1)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if next(_CALLS) % _REFUSED == 0:
            self._answer(503, {"reason": "not now"})
        else:
            self._answer(200, {"sum": int(parse_qs(urlsplit(self.path).query)["to"][0]) + 1})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[str]:
    """Serve ``GET /add?to=<number>`` on this machine alone; give the service's URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
