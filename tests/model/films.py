"""What the objects of the model hold: fingerprints by bytes, and which of them are copies of each other."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from inspector.errors import MediaRejected, RejectReason
from inspector.matching import compare
from inspector.model import Fingerprint, Match, MediaInfo
from inspector.settings import Settings
from inspector.worker.inspect import Examined
from tests.unit.matching.films import cut_out, damaged, make_film

_FILM: Final = make_film(1, 24.0)
FILMS: Final[dict[bytes, Fingerprint]] = {
    b"film": _FILM,
    b"copy": damaged(_FILM, 2, bits=2),
    b"clip": cut_out(_FILM, 4.0, 20.0),
    b"another": make_film(3, 24.0),
}
BROKEN: Final = b"broken"
BODIES: Final = (*FILMS, BROKEN)
MEDIA: Final = MediaInfo("mov", 24.0, 0.0, "h264", 0, 320, 180, 0, 25.0, False, 4)


def examine(path: Path, settings: Settings, **_: Any) -> Examined:
    """In place of ffprobe and ffmpeg."""
    body = path.read_bytes()
    if body not in FILMS:
        raise MediaRejected(RejectReason.NOT_MEDIA)
    return Examined(MEDIA, FILMS[body], None)


def sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


@functools.cache
def pairs() -> frozenset[tuple[bytes, bytes]]:
    """The sha256s of all films that match, the smaller first."""
    return frozenset(
        (sha256(one), sha256(other))
        for one in FILMS
        for other in FILMS
        if sha256(one) < sha256(other) and compare(FILMS[one], FILMS[other]) is not None
    )


def remembered(compare: Callable[[Fingerprint, Fingerprint], Match | None]) -> Callable[..., Match | None]:
    """The same comparison, done once for each pair of films."""
    known: dict[tuple[bytes, bytes], Match | None] = {}

    def look_up(one: Fingerprint, other: Fingerprint) -> Match | None:
        names = one.frame_hashes.tobytes(), other.frame_hashes.tobytes()
        if names not in known:
            known[names] = compare(one, other)
        return known[names]

    return look_up
