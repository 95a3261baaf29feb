"""HTTP: what is sent, and what every kind of answer becomes (Conductor 3.14)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from workers import TaskFailure
from workers.tasks.http import MAX_BODY, run


class Service(BaseHTTPRequestHandler):
    """Answers as the path says; ``/echo`` with what it was sent."""

    release: ClassVar[threading.Event] = threading.Event()
    seen: ClassVar[list[str]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        Service.seen.append(f"{self.command} {self.path} {self.headers.get('Cookie')}")
        status, headers, content = self.reply(body)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def reply(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        kind, _, rest = self.path[1:].partition("/")
        match kind:
            case "echo":
                sent = [list(pair) for pair in self.headers.items()]
                return (
                    200,
                    [("Content-Type", "application/json")],
                    json.dumps({"method": self.command, "headers": sent, "body": body.decode()}).encode(),
                )
            case "status":
                return int(rest), [], b'{"why": "busy"}'
            case "redirect":
                return 302, [("Location", "/echo")], b""
            case "raw":
                return 200, [], bytes.fromhex(rest)
            case "cookie":
                return 200, [("Set-Cookie", "session=1; Path=/"), ("X-Many", "a"), ("X-Many", "b")], b""
            case "large":
                return 200, [], b"x" * (MAX_BODY + 1)
            case _:
                Service.release.wait(10)
                return 200, [], b""

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Service.release.set()
    server.shutdown()
    server.server_close()


def call(uri: str, method: str = "GET", **fields: Any) -> dict[str, Any]:
    return run(None, http_request={"uri": uri, "method": method, **fields})["response"]


def sent(uri: str, method: str = "POST", **fields: Any) -> tuple[dict[str, list[str]], str]:
    body = call(f"{uri}/echo", method, **fields)["body"]
    headers: dict[str, list[str]] = {}
    for name, value in body["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    return headers, body["body"]


def failure(uri: str, method: str = "GET", **fields: Any) -> TaskFailure:
    with pytest.raises(TaskFailure) as caught:
        call(uri, method, **fields)
    return caught.value


class TestRequest:
    def test_fields_may_be_flat_among_the_inputs(self, service: str) -> None:
        output = run(None, uri=f"{service}/echo", method="GET", asyncComplete=False)
        assert output["response"]["statusCode"] == 200

    @pytest.mark.parametrize("method", ["GET", "post", "Put", "DELETE", "PATCH"])
    def test_methods_are_accepted_in_any_case(self, service: str, method: str) -> None:
        assert call(f"{service}/echo", method)["body"]["method"] == method.upper()

    def test_json_is_the_default_both_ways(self, service: str) -> None:
        headers, body = sent(service, body={"a": [1, "ä"]})
        assert (headers["accept"], headers["content-type"]) == (["application/json"], ["application/json"])
        assert json.loads(body) == {"a": [1, "ä"]}

    def test_accept_and_content_type_override_the_headers(self, service: str) -> None:
        headers, body = sent(
            service, accept=["text/plain", "*/*"], contentType="text/plain", body="hello", headers={"Accept": "x/y"}
        )
        assert (headers["accept"], headers["content-type"], body) == (["text/plain, */*"], ["text/plain"], "hello")

    def test_null_headers_are_dropped_and_lists_repeated(self, service: str) -> None:
        headers, _ = sent(service, headers={"X-None": None, "X-Two": ["a", "b"], "X-Number": 3})
        assert "x-none" not in headers
        assert (headers["x-two"], headers["x-number"]) == (["a", "b"], ["3"])

    def test_a_form_is_written_as_a_form(self, service: str) -> None:
        _, body = sent(service, contentType="application/x-www-form-urlencoded", body={"a": "1 2", "b": [1, 2]})
        assert body == "a=1+2&b=1&b=2"

    def test_a_multipart_form_has_its_boundary(self, service: str) -> None:
        headers, body = sent(service, contentType="multipart/form-data", body={"a": "1"})
        boundary = headers["content-type"][0].partition("boundary=")[2]
        assert boundary
        assert boundary in body

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"method": "GET"}, "Missing HTTP URI"),
            ({"uri": "http://x"}, "No HTTP method specified"),
            ({"uri": "http://x", "method": "G T"}, "Invalid HTTP method: G T"),
            ({"uri": "http://x", "method": "GET", "readTimeOut": "soon"}, "readTimeOut is 'soon'"),
            ({"uri": "nothing", "method": "GET"}, "nothing"),
            ({"uri": "http://[", "method": "GET"}, "I/O error"),
            ({"uri": "ftp://x", "method": "GET"}, "I/O error"),
            ({"uri": "http://x", "method": "GET", "headers": {"a b": "\n"}}, "I/O error"),
        ],
    )
    def test_a_request_that_cannot_be_made_says_why(self, fields: dict[str, Any], reason: str) -> None:
        with pytest.raises(TaskFailure, match=reason.replace("(", r"\(")) as caught:
            run(None, **fields)
        assert caught.value.output == {}


class TestAnswer:
    @pytest.mark.parametrize(
        ("content", "body"),
        [
            (b'{"a": 1}', {"a": 1}),
            (b"[1, 2]", [1, 2]),
            (b"42", 42.0),
            (b"true", "true"),
            (b"null", "null"),
            (b'"text"', "text"),
            (b"not json", "not json"),
            (b"[NaN]", "[NaN]"),
            (b"\xff", "\ufffd"),
            (b"", None),
        ],
    )
    def test_bodies_become_what_conductor_makes_of_them(self, service: str, content: bytes, body: Any) -> None:
        received = call(f"{service}/raw/{content.hex()}")["body"]
        assert received == body
        assert type(received) is type(body)

    def test_a_head_has_no_body(self, service: str) -> None:
        assert call(f"{service}/echo", "HEAD")["body"] is None

    def test_headers_are_lists_under_the_names_that_were_sent(self, service: str) -> None:
        response = call(f"{service}/cookie")
        assert response["headers"]["X-Many"] == ["a", "b"]
        assert response["reasonPhrase"] == "OK"

    def test_a_cookie_of_one_call_does_not_reach_the_next(self, service: str) -> None:
        call(f"{service}/cookie")
        headers, _ = sent(service, "GET")
        assert "cookie" not in headers

    def test_a_get_follows_redirects(self, service: str) -> None:
        assert call(f"{service}/redirect")["statusCode"] == 200

    def test_other_methods_do_not_and_fail_with_the_answer(self, service: str) -> None:
        failed = failure(f"{service}/redirect", "POST")
        assert failed.reason == "No response from the remote service"
        assert failed.output["response"]["headers"]["Location"] == ["/echo"]

    @pytest.mark.parametrize("status", [400, 404, 500, 503])
    def test_a_failure_shows_status_and_body(self, service: str, status: int) -> None:
        failed = failure(f"{service}/status/{status}")
        response = failed.output["response"]
        assert (response["statusCode"], response["body"]) == (status, {"why": "busy"})
        assert f"{status} " in failed.reason
        assert "busy" in failed.reason

    def test_nothing_is_tried_twice(self, service: str) -> None:
        Service.seen.clear()
        failure(f"{service}/status/503")
        assert len(Service.seen) == 1

    def test_an_answer_above_the_limit_fails_without_its_body(self, service: str) -> None:
        failed = failure(f"{service}/large")
        assert failed.output["response"]["body"] is None
        assert f"{MAX_BODY:,}" in failed.reason

    def test_an_answer_that_does_not_come_times_out(self, service: str) -> None:
        assert failure(f"{service}/never", readTimeOut=50).reason.endswith("read timed out")

    def test_a_service_that_is_not_there_is_an_ordinary_failure(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            assert "refused" in failure(uri).reason
