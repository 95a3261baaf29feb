"""Unpacking what a web service answers, no further than its limit: a few kilobytes can become gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

#: ``zlib``'s number for gzip and zlib alike, told apart by how the data begins.
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32

_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class TooLarge(ValueError):
    """The body has more bytes than its limit."""


def unpacked(parts: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """Return the body that arrives in ``parts``, packed as ``encoding`` says (the header ``Content-Encoding``).

    Raises ``TooLarge`` above ``limit`` bytes, ``ValueError`` for an encoding that was not asked for or broken data.
    """
    kinds = [kind.strip().lower() for kind in encoding.split(",") if kind.strip().lower() not in ("", "identity")]
    if len(kinds) > 1 or not _PACKED.issuperset(kinds):
        raise ValueError(f"the answer is encoded as {encoding[:100]!r}, which was not asked for")
    content = bytearray()
    for part in _inflated(parts, limit) if kinds else parts:
        content += part
        if len(content) > limit:
            raise TooLarge
    return bytes(content)


def _inflated(parts: Iterable[bytes], limit: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    begun = False
    for packed in parts:
        try:
            yield unpacker.decompress(packed, limit + 1)
        except zlib.error as error:
            if begun:
                raise ValueError(f"the answer cannot be unpacked: {error}") from None
            # Some services send deflate without zlib's own header.
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                yield unpacker.decompress(packed, limit + 1)
            except zlib.error:
                raise ValueError(f"the answer cannot be unpacked: {error}") from None
        begun = begun or bool(packed)
        if unpacker.unconsumed_tail:
            raise TooLarge
    if begun and not unpacker.eof:
        raise ValueError("the answer ends in the middle of its packed data")
