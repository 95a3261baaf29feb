"""The demo's outside world: files with their checksums, and a verification that takes its time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "secret.txt").write_text("not for everyone")
    (tmp_path / "public").mkdir()
    (tmp_path / "public/hello.txt").write_bytes(b"hello")
    with Site(tmp_path / "public") as running:
        yield running


def test_a_file_comes_with_its_size_and_checksum(site: Site) -> None:
    for answer in (httpx.get(f"{site.url}/hello.txt"), httpx.head(f"{site.url}/hello.txt")):
        assert answer.headers["etag"] == f'"{hashlib.sha256(b"hello").hexdigest()}"'
        assert answer.headers["content-length"] == "5"


@pytest.mark.parametrize("path", ["/nothing.txt", "/%2e%2e/secret.txt", "/"])
def test_what_is_not_public_is_not_found(site: Site, path: str) -> None:
    assert httpx.get(site.url + path).status_code == 404


def test_a_verification_is_pending_twice_and_then_decided(site: Site) -> None:
    opened = httpx.post(f"{site.url}/verifications", json={"reference": "r1", "document": "C01X00T47"}).json()

    answers = [httpx.get(opened["url"]).json() for _ in range(4)]

    assert [answer["status"] for answer in answers] == ["pending", "pending", "decided", "decided"]
    assert answers[-1]["score"] == 95


def test_opening_a_verification_again_finds_it_where_it_stood(site: Site) -> None:
    request = {"reference": "r1", "document": "C01X00T47"}
    url = httpx.post(f"{site.url}/verifications", json=request).json()["url"]
    httpx.get(url)
    httpx.post(f"{site.url}/verifications", json=request)

    assert [httpx.get(url).json()["status"] for _ in range(2)] == ["pending", "decided"]


def test_the_holder_of_a_stolen_document_scores_low(site: Site) -> None:
    url = httpx.post(f"{site.url}/verifications", json={"reference": "r2", "document": "C00STOLEN"}).json()["url"]

    assert [httpx.get(url).json() for _ in range(3)][-1]["score"] == 10


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"reference": "x"}'])
def test_a_malformed_request_is_answered_with_what_was_expected(site: Site, content: bytes) -> None:
    answer = httpx.post(f"{site.url}/verifications", content=content)

    assert answer.status_code == 400
    assert "reference and document" in answer.json()["error"]


def test_an_unknown_verification_is_not_found(site: Site) -> None:
    assert httpx.get(f"{site.url}/verifications/none").status_code == 404
