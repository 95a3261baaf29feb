"""Tasks of media_processing: an image becomes thumbnails, a manifest and a delivery that is checked from outside."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from demo.app import app
from demo.files import existing, inside, sha256_of, write_whole
from workers import TerminalError

#: Pixels; an upload that unpacks to more than this is refused before it fills the memory.
LARGEST_IMAGE = 80_000_000


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        if image.width * image.height > LARGEST_IMAGE:
            raise TerminalError(f"{path.name} has {image.width}x{image.height} pixels, more than {LARGEST_IMAGE:,}")
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise TerminalError(f"{path.name} is not an image that can be read: {error}") from error
    return image


@app.task
def checksum_file(workspace: str, path: str) -> dict[str, Any]:
    """Return the SHA-256 and the size in bytes of a file.

    Idempotent: it only reads.
    """
    file = existing(workspace, path)
    return {"path": path, "sha256": sha256_of(file), "bytes": file.stat().st_size}


@app.task
def read_image_metadata(workspace: str, path: str) -> dict[str, Any]:
    """Return format, size in pixels as seen (orientation applied), and what EXIF tells of camera, moment and place.

    Idempotent: it only reads.
    """
    image = _opened(existing(workspace, path))
    exif = image.getexif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    upright = ImageOps.exif_transpose(image)
    return {
        "format": image.format,
        "width": upright.width,
        "height": upright.height,
        "camera": " ".join(str(exif[tag]) for tag in (ExifTags.Base.Make, ExifTags.Base.Model) if tag in exif) or None,
        "taken_at": _moment(details.get(ExifTags.Base.DateTimeOriginal)),
        "exposure_seconds": _exposure(details.get(ExifTags.Base.ExposureTime)),
        "place": _place(exif.get_ifd(ExifTags.IFD.GPSInfo)),
        "description": exif.get(ExifTags.Base.ImageDescription),
    }


def _moment(text: str | None) -> str | None:
    """Turn EXIF's ``2024:05:17 18:42:10`` into ISO 8601; cameras with a dead clock write zeros, which is no moment."""
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").isoformat() if text else None
    except ValueError:
        return None


def _exposure(value: float | None) -> str | None:
    return str(Fraction(float(value)).limit_denominator(8000)) if value else None


def _place(gps: Mapping[int, Any]) -> dict[str, float] | None:
    """Return latitude and longitude in decimal degrees, south and west negative."""
    try:
        latitude = _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef])
        longitude = _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef])
    except (KeyError, ValueError, TypeError, ZeroDivisionError):
        return None
    return {"latitude": latitude, "longitude": longitude}


def _degrees(parts: tuple[float, float, float], half: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return round(-value if half in ("S", "W") else value, 5)


@app.task
def make_thumbnail(workspace: str, path: str, label: str, edge: int, folder: str) -> dict[str, Any]:
    """Write a JPEG of at most ``edge`` pixels on its longer side into ``folder`` and return its name and facts.

    The copy is turned upright and carries no EXIF: a published thumbnail must not tell where its owner lives.
    Idempotent: the same image and edge give the same bytes in the same file, which is replaced whole.
    """
    image = ImageOps.exif_transpose(_opened(existing(workspace, path))).convert("RGB")
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=82, optimize=True)
    name = f"{folder}/{Path(path).stem}-{label}.jpg"
    target = inside(workspace, name)
    write_whole(target, content.getvalue())
    return {
        "label": label,
        "path": name,
        "width": image.width,
        "height": image.height,
        "bytes": target.stat().st_size,
        "sha256": sha256_of(target),
    }


@app.task
def deliver_media(
    workspace: str, original: dict[str, Any], thumbnails: dict[str, dict[str, Any]], metadata: dict[str, Any], site: str
) -> dict[str, Any]:
    """Copy the original and its thumbnails to the public folder, write the manifest, and return where all of it is.

    The folder is named after the checksum of the original. The manifest is written last, so whoever can read it can
    read every file that it lists. ``thumbnails`` is the output of the JOIN, one entry for each branch.
    Idempotent: names and contents follow from the original; files are replaced whole.
    """
    folder = f"media/{original['sha256'][:16]}"
    files = []
    for item in [original, *sorted(thumbnails.values(), key=lambda thumbnail: int(thumbnail["bytes"]))]:
        source = existing(workspace, item["path"])
        write_whole(inside(workspace, f"public/{folder}/{source.name}"), source.read_bytes())
        files.append(
            {
                "url": f"{site}/{folder}/{source.name}",
                "label": item.get("label", "original"),
                "bytes": item["bytes"],
                "sha256": item["sha256"],
            }
        )
    manifest = {"image": metadata, "files": files}
    write_whole(inside(workspace, f"public/{folder}/manifest.json"), json.dumps(manifest, indent=2).encode())
    return {"manifest_url": f"{site}/{folder}/manifest.json", "files": len(files)}


@app.task
def confirm_delivery(manifest: dict[str, Any], answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Compare what the web server said of each file with the manifest and return how many files were confirmed.

    ``answers`` is the output of the JOIN over the HTTP checks: one response for each file, in any order of keys.
    Raises an error (retried by the task definition) when a file is missing or differs from its manifest entry.
    Idempotent: it only compares.
    """
    seen = [_headers(answer["response"]) for answer in answers.values()]
    tags = {headers.get("etag", "").strip('"'): int(headers.get("content-length", -1)) for headers in seen}
    wrong = [file["url"] for file in manifest["files"] if tags.get(file["sha256"]) != file["bytes"]]
    if wrong:
        raise RuntimeError(f"{len(wrong)} delivered file(s) differ from the manifest: {', '.join(wrong)}")
    return {"confirmed": len(manifest["files"])}


def _headers(response: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers in lower case with their first values; HTTP names have no case and may repeat."""
    return {
        name.lower(): values[0] if isinstance(values, list) else values for name, values in response["headers"].items()
    }
