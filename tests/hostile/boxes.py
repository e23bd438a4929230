"""Just enough of MP4 and Matroska to write files that lie.

Sources: ISO/IEC 14496-12 (boxes: a size, four letters, a body); RFC 8794 (EBML: an id, a size, a body) and
RFC 9559 (Matroska).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

#: Boxes that hold boxes, and the bytes that stand before these.
CONTAINERS: Final = {
    **dict.fromkeys((b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta", b"mvex"), 0),
    b"dref": 8,
    b"stsd": 8,
}


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, body: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    """A box that begins with its version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags) + body)


def edit(data: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """The file with the first box at this path replaced by what `change` makes of the whole of it."""
    out, at, done = [], 0, False
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + size if size >= 8 else len(data)
        whole = data[at:end]
        if kind == path[0] and not done:
            done = True
            if len(path) == 1:
                whole = change(whole)
            else:
                head = 8 + CONTAINERS[kind]
                inner = edit(whole[head:], path[1:], change)
                whole = box(kind, whole[8:head] + inner)
        out.append(whole)
        at = end
    if not done:
        raise LookupError(f"no {path[0]!r}")
    return b"".join(out)


def patched(offset: int, form: str, *values: int) -> Callable[[bytes], bytes]:
    """A change of some numbers inside a box; offset: from its beginning."""

    def change(whole: bytes) -> bytes:
        data = bytearray(whole)
        struct.pack_into(form, data, offset, *values)
        return bytes(data)

    return change


def element(name: str, body: bytes, *, size: int | None = None) -> bytes:
    """An EBML element. name: its id in hexadecimal.  size: what it claims to be, if that is a lie."""
    claimed = len(body) if size is None else size
    return bytes.fromhex(name) + struct.pack(">Q", claimed | 1 << 56) + body


def number(name: str, value: int) -> bytes:
    return bytes.fromhex(name) + b"\x88" + struct.pack(">Q", value)


def real(name: str, value: float) -> bytes:
    return bytes.fromhex(name) + b"\x88" + struct.pack(">d", value)


def matroska(*inside: bytes) -> bytes:
    """A Matroska file with these elements in its segment."""
    head = element("4282", b"matroska") + number("4287", 4) + number("4285", 2)
    return element("1A45DFA3", head) + element("18538067", b"".join(inside))


def track(
    n: int, *inside: bytes, codec: bytes = b"V_UNCOMPRESSED", width: int = 64, height: int = 64
) -> bytes:
    """A video track."""
    fields = number("D7", n) + number("73C5", n) + number("83", 1) + element("86", codec)
    size = number("B0", width) + number("BA", height)
    return element("AE", fields + element("E0", size + element("2EB524", b"I420")) + b"".join(inside))


def info(*, duration: float = 2000.0, scale: int = 1_000_000) -> bytes:
    return element("1549A966", number("2AD7B1", scale) + real("4489", duration))


def cluster(time: int, *frames: tuple[int, bytes]) -> bytes:
    """Key frames of track 1 at times relative to the cluster's."""
    blocks = [element("A3", b"\x81" + struct.pack(">h", t) + b"\x80" + data) for t, data in frames]
    return element("1F43B675", number("E7", time) + b"".join(blocks))
