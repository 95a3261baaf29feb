"""media_processing: what the tasks make of the shipped photograph, and of files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import jq
import pytest
from PIL import Image

from demo import media
from demo.site import Site
from workers import TerminalError

PHOTO = "inbox/harbour.jpg"
CHECKS = json.loads(Path("definitions/workflows/media_processing.v1.json").read_text())["tasks"][6]["inputParameters"]


def test_the_photograph_is_described_as_people_see_it_not_as_the_sensor_stored_it(workspace: str) -> None:
    found = media.read_image_metadata(workspace, PHOTO)

    assert Image.open(Path(workspace, PHOTO)).size == (800, 1200)
    assert (found["width"], found["height"]) == (1200, 800)
    assert found["taken_at"] == "2024-05-17T20:42:10"
    assert found["exposure_seconds"] == "1/250"
    assert found["place"] == {"latitude": 53.544, "longitude": 9.967}


def test_a_picture_without_exif_has_no_camera_and_no_place(workspace: str) -> None:
    Image.new("RGB", (30, 20), "navy").save(Path(workspace, "inbox/plain.png"))

    found = media.read_image_metadata(workspace, "inbox/plain.png")

    assert (found["format"], found["camera"], found["taken_at"], found["place"]) == ("PNG", None, None, None)


def test_a_thumbnail_is_upright_small_and_tells_nothing_of_its_origin(workspace: str) -> None:
    made = media.make_thumbnail(workspace, PHOTO, "small", 160, "thumbnails")

    with Image.open(Path(workspace, made["path"])) as thumbnail:
        assert thumbnail.size == (160, 107)
        assert not thumbnail.getexif()


def test_making_a_thumbnail_twice_gives_the_same_bytes(workspace: str) -> None:
    first = media.make_thumbnail(workspace, PHOTO, "small", 160, "thumbnails")

    assert media.make_thumbnail(workspace, PHOTO, "small", 160, "thumbnails") == first


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0 a JPEG that ends early"])
def test_a_file_that_is_no_image_is_never_tried_again(workspace: str, content: bytes) -> None:
    Path(workspace, "inbox/broken.jpg").write_bytes(content)

    with pytest.raises(TerminalError, match=r"broken\.jpg is not an image"):
        media.read_image_metadata(workspace, "inbox/broken.jpg")


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "inbox/../../secret"])
def test_no_path_leads_out_of_the_workspace(workspace: str, path: str) -> None:
    with pytest.raises(TerminalError, match="leads out of the workspace"):
        media.checksum_file(workspace, path)


def test_a_missing_file_is_named(workspace: str) -> None:
    with pytest.raises(TerminalError, match=r"no file 'inbox/nothing\.jpg'"):
        media.checksum_file(workspace, "inbox/nothing.jpg")


def deliver(workspace: str, site: str) -> dict[str, Any]:
    sizes = {"small": 160, "large": 960}
    thumbnails = {
        label: media.make_thumbnail(workspace, PHOTO, label, edge, "thumbnails") for label, edge in sizes.items()
    }
    original = media.checksum_file(workspace, PHOTO)
    return media.deliver_media(workspace, original, thumbnails, media.read_image_metadata(workspace, PHOTO), site)


def asked(manifest: dict[str, Any]) -> dict[str, Any]:
    """Ask the web server as the workflow's own jq program says, and answer as an HTTP task does."""
    requests = jq.compile(CHECKS["queryExpression"]).input_value({"files": manifest["files"]}).first()
    answers = {}
    for number, request in enumerate(requests):
        answer = httpx.request(request["method"], request["uri"], headers={"Accept": request["accept"]})
        headers = {name: [value] for name, value in answer.headers.items()}
        answers[f"_check_file_{number}"] = {"response": {"statusCode": answer.status_code, "headers": headers}}
    return answers


def test_a_delivery_is_confirmed_by_what_the_web_server_says(workspace: str) -> None:
    with Site(Path(workspace, "public")) as site:
        delivery = deliver(workspace, site.url)
        manifest = httpx.get(delivery["manifest_url"]).json()

        assert media.confirm_delivery(manifest, asked(manifest)) == {"confirmed": 3}


def test_a_file_that_changed_after_the_delivery_is_noticed(workspace: str) -> None:
    with Site(Path(workspace, "public")) as site:
        manifest = httpx.get(deliver(workspace, site.url)["manifest_url"]).json()
        changed = next(Path(workspace, "public").rglob("harbour-small.jpg"))
        changed.write_bytes(changed.read_bytes() + b"!")

        with pytest.raises(RuntimeError, match=r"1 delivered file\(s\) differ from the manifest: .*harbour-small"):
            media.confirm_delivery(manifest, asked(manifest))


def test_delivering_twice_is_delivering_once(workspace: str) -> None:
    first = deliver(workspace, "http://example.test")
    files = sorted(Path(workspace, "public").rglob("*"))

    assert deliver(workspace, "http://example.test") == first
    assert sorted(Path(workspace, "public").rglob("*")) == files
