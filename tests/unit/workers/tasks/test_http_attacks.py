"""HTTP under attack: addresses that may not be called, and services that answer to do harm."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from engine.config import LOOPBACK, Settings
from engine.outgoing import http_client, network
from workers import TaskFailure
from workers.tasks import http
from workers.tasks.event import run as publish
from workers.tasks.http import MAX_BODY, run

Answer = Callable[[socket.socket, bytes], None]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one answer after the other on raw sockets; yields the address and the requests seen."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += connection.recv(65_536)
                    seen.append(request)
                    answer(connection, request)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def response(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(content: bytes) -> Answer:
    return lambda connection, _: connection.sendall(content)


def call(uri: str, **fields: Any) -> dict[str, Any]:
    return run(None, http_request={"uri": uri, "method": "GET", **fields})["response"]


def failure(uri: str, **fields: Any) -> str:
    with pytest.raises(TaskFailure) as caught:
        call(uri, **fields)
    return caught.value.reason


class TestAddresses:
    @pytest.fixture(autouse=True)
    def _as_in_production(self, _loopback_is_allowed: None) -> None:
        network.use(network.rules_of(Settings()))

    @pytest.mark.parametrize(
        "uri",
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://127.0.0.1/",
            "http://localhost:5672/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://public.example@127.0.0.1/",
            "http://127.0.0.1#@public.example/",
            "http://127.0.0.1\\@public.example/",
        ],
    )
    def test_what_only_this_machine_may_reach_is_not_called(self, uri: str) -> None:
        assert "The address" in (reason := failure(uri)) or "I/O error" in reason
        assert "BATON_OUTGOING" in reason or "Name or service" in reason or "Invalid" in reason

    @pytest.mark.parametrize("uri", ["file:///etc/passwd", "gopher://x/", "ftp://x/", "data:,x", "unix:/run/x", "//x"])
    def test_nothing_but_http_is_spoken(self, uri: str) -> None:
        assert "I/O error" in failure(uri)

    def test_a_redirect_is_judged_like_the_first_address(self) -> None:
        moved = response(b"", "Location: http://169.254.169.254/latest/", status="302 Found")
        with serving(always(moved)) as (uri, _):
            network.use(network.rules_of(Settings(outgoing_loopback_networks=LOOPBACK)))
            assert "169.254.169.254 is never called" in failure(uri)

    def test_a_name_that_changes_its_address_is_resolved_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        usual = socket.getaddrinfo

        def rebinding(host: Any, *rest: Any, **options: Any) -> Any:
            if host != "rebinding.example":
                return usual(host, *rest, **options)
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]

        with serving(always(response(b'{"ok": 1}'))) as (uri, seen):
            network.use(network.rules_of(Settings(outgoing_loopback_networks=LOOPBACK)))
            monkeypatch.setattr(socket, "getaddrinfo", rebinding)
            port = uri.rpartition(":")[2]
            assert call(f"http://rebinding.example:{port}/")["body"] == {"ok": 1}
            assert f"host: rebinding.example:{port}" in seen[0].decode().lower()
            assert "169.254.169.254 of 'rebinding.example' is never called" in failure("http://rebinding.example/")

    def test_a_proxy_of_the_environment_is_not_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(always(response(b"{}"))) as (uri, seen):
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, uri)
            client = http_client.new_client()
            with pytest.raises(Exception, match="never called"):
                client.get("http://169.254.169.254/")
            assert not seen

    @pytest.mark.parametrize(
        "sink",
        ["redis://127.0.0.1:6379/0#q", "amqp://169.254.169.254//#q", "redis://[::1]/0#q", "rediss://localhost/0#q"],
    )
    def test_events_to_other_brokers_are_judged_too(self, sink: str) -> None:
        with pytest.raises(TaskFailure, match="BATON_OUTGOING"):
            _publish(sink)

    @pytest.mark.parametrize(
        "sink",
        [
            "filesystem:///tmp/x#q",
            "sqla+sqlite:////tmp/x.db#q",
            "memory://x#q",
            "redis://a;redis://b#q",
            "sentinel://x#q",
        ],
    )
    def test_events_write_no_files_and_name_one_broker(self, sink: str) -> None:
        with pytest.raises(TaskFailure, match="only one broker"):
            _publish(sink)


def _publish(sink: str) -> None:
    class Task:
        class request:  # noqa: N801 - Celery's name
            id = "run.1"

    publish(Task(), event_produced=sink)


class TestCredentials:
    def test_headers_do_not_follow_a_redirect_to_another_host(self) -> None:
        with serving(always(response(b"{}"))) as (other, seen):
            moved = response(b"", f"Location: {other}/", status="302 Found")
            with serving(always(moved)) as (uri, first):
                call(uri, headers={"Authorization": "Bearer x", "X-Api-Key": "secret", "Cookie": "a=b"})
        assert b"secret" in first[0]
        assert b"secret" not in seen[0]
        assert b"authorization" not in seen[0].lower()
        assert b"cookie" not in seen[0].lower()

    def test_headers_follow_a_redirect_on_the_same_host(self) -> None:
        def answer(connection: socket.socket, request: bytes) -> None:
            there = request.startswith(b"GET /there")
            moved = response(b"", "Location: /there", status="302 Found")
            connection.sendall(response(b"{}") if there else moved)

        with serving(answer) as (uri, seen):
            call(uri, headers={"X-Api-Key": "secret"})
        assert b"secret" in seen[1]

    def test_passwords_in_an_address_are_not_told(self) -> None:
        assert "hunter2" not in failure("http://ann:hunter2@127.0.0.1:1/")

    @pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\x00b"])
    def test_a_header_cannot_bring_another_one(self, value: str) -> None:
        with serving(always(response(b"{}"))) as (uri, seen):
            assert "I/O error" in failure(uri, headers={"X-Good": value})
        assert not any(b"X-Evil" in request for request in seen)

    @pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GET / HTTP/1.1\r\nX: ", "G" * 100, "get\n"])
    def test_odd_methods_are_refused(self, method: str) -> None:
        with pytest.raises(TaskFailure, match="Invalid HTTP method"):
            run(None, uri="http://x", method=method)

    @pytest.mark.parametrize("headers", [["a"], "a", 5, {"a": {"b": object}}])
    def test_headers_of_another_kind_are_refused_with_a_sentence(self, headers: Any) -> None:
        with serving(always(response(b"{}"))) as (uri, _), suppress(TaskFailure):
            call(uri, headers=headers)


class TestAnswers:
    @pytest.mark.parametrize(("pack", "encoding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
    def test_a_bomb_is_not_unpacked(self, pack: Callable[[bytes], bytes], encoding: str) -> None:
        bomb = response(pack(b"\x00" * (20 * MAX_BODY)), f"Content-Encoding: {encoding}")
        with serving(always(bomb)) as (uri, _):
            assert f"more than {MAX_BODY:,} bytes" in failure(uri)

    @pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
    def test_what_is_packed_honestly_is_unpacked(self, encoding: str) -> None:
        packed = zlib.compress(b'{"a": 1}') if encoding == "deflate" else gzip.compress(b'{"a": 1}')
        with serving(always(response(packed, f"Content-Encoding: {encoding}"))) as (uri, _):
            assert call(uri)["body"] == {"a": 1}

    @pytest.mark.parametrize(
        ("content", "encoding"),
        [(b"x", "br"), (b"x", "gzip, gzip"), (b"not gzip at all", "gzip"), (gzip.compress(b"x" * 999)[:-9], "gzip")],
        ids=["unknown", "packed twice", "not packed", "cut off"],
    )
    def test_what_cannot_be_unpacked_is_an_ordinary_failure(self, content: bytes, encoding: str) -> None:
        with serving(always(response(content, f"Content-Encoding: {encoding}"))) as (uri, _):
            assert "I/O error" in failure(uri)

    def test_a_body_that_never_ends_is_cut_off(self) -> None:
        def flood(connection: socket.socket, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65_536)

        with serving(flood) as (uri, _):
            assert f"more than {MAX_BODY:,} bytes" in failure(uri)

    @pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: ", b""])
    def test_an_answer_in_drops_ends_with_the_time_of_the_call(
        self, start: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http, "_TOTAL_SECONDS", 0.5)
        over = threading.Event()

        def drip(connection: socket.socket, _: bytes) -> None:
            connection.sendall(start)
            while not over.wait(0.05):
                connection.sendall(b"H")

        began = time.monotonic()
        with serving(drip) as (uri, _):
            assert "timed out" in failure(uri, readTimeOut=60_000) or start == b""
            over.set()
        assert time.monotonic() - began < 30

    def test_redirects_have_an_end(self) -> None:
        with serving(always(response(b"", "Location: /again", status="302 Found"))) as (uri, seen):
            assert "more than 10 redirects" in failure(uri)
        assert len(seen) == 11

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\x00" * 100,
            b"HTTP/9.9 abc\r\n\r\n",
            b"HTTP/1.1 99999 No\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: javascript:alert(1)\r\n\r\n",
        ],
    )
    def test_answers_that_are_none_are_ordinary_failures(self, content: bytes) -> None:
        with serving(always(content)) as (uri, _), pytest.raises(TaskFailure):
            call(uri)

    def test_a_charset_that_nobody_knows_is_read_as_utf_8(self) -> None:
        with serving(always(response(b"hi", "Content-Type: text/plain; charset=klingon"))) as (uri, _):
            assert call(uri)["body"] == "hi"
