"""A handful of small pictures of a video, one for each of the shots that show it best.

Made by seeking, after the one decoding pass: of each shot the first key frame is taken, which costs the
decoding of one picture. Most encoders put a key frame at a cut; a shot without one may be decoded to its
first frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog

from inspector.errors import MediaRejected, ToolFailed
from inspector.media.opening import address, options
from inspector.media.reading import read_by_tool
from inspector.media.tool import never
from inspector.model import MediaInfo
from inspector.settings import Settings

MOST_SHOTS: Final = 8
WIDTH: Final = 320  # pixels that a picture fits into, with its sides as they are shown
HEIGHT: Final = 180
MOST_BYTES: Final = 200_000  # of one picture
_AT_ONCE: Final = 4  # decoders of one process
_EXACTLY_PIXELS: Final = 4_000_000  # of all pictures of shots without a key frame together
_LEAST_SHOT_S: Final = 1.0  # no part of a shot is made shorter
_DEADLINE_S: Final = 20.0
_WITHIN_S: Final = 0.02  # the first frame of a shot may be stamped a little early

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shot:
    """`[start_s, end_s)` of a video: a shot, or a part of a long one."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG of what a shot shows. time_s: where the shot begins."""

    time_s: float
    jpeg: bytes


def choose_shots(cuts_s: Sequence[float], duration_s: float, *, most: int = MOST_SHOTS) -> list[Shot]:
    """Up to `most` shots that stand for the whole, in order.

    Few shots are cut into parts, the longest first; of many, those are taken that evenly spread moments lie
    in.
    """
    borders = [0.0, *(cut for cut in cuts_s if 0 < cut < duration_s), duration_s]
    shots = [Shot(start, end) for start, end in pairwise(borders)]
    if len(shots) > most:
        moments = [(n + 0.5) / most * duration_s for n in range(most)]
        return [shot for shot in shots if any(shot.start_s <= moment < shot.end_s for moment in moments)]
    while len(shots) < most:
        longest = max(shots, key=lambda shot: shot.length_s)
        if longest.length_s < 2 * _LEAST_SHOT_S:
            break
        where, middle = shots.index(longest), longest.start_s + longest.length_s / 2
        shots[where : where + 1] = [Shot(longest.start_s, middle), Shot(middle, longest.end_s)]
    return shots


def make_thumbnails(
    path: Path,
    media: MediaInfo,
    shots: Sequence[Shot],
    settings: Settings,
    *,
    cancelled: Callable[[], bool] = never,
) -> list[Thumbnail]:
    """A picture of each shot, as far as they can be had; in the order of the shots.

    Raises Interrupted, ToolMissing, and what `cancelled` raises. That a shot cannot be decoded is no error.
    """
    found = _look(path, media, shots, settings, cancelled, key_frames=True)
    worth_decoding = max(1, _EXACTLY_PIXELS // (media.width * media.height))
    without = [shot for shot in shots if shot.start_s not in found][:worth_decoding]
    found |= _look(path, media, without, settings, cancelled, key_frames=False)
    return [Thumbnail(time_s, jpeg) for time_s, jpeg in sorted(found.items())]


def _look(
    path: Path,
    media: MediaInfo,
    shots: Sequence[Shot],
    settings: Settings,
    cancelled: Callable[[], bool],
    *,
    key_frames: bool,
) -> dict[float, bytes]:
    """The start of a shot → its JPEG."""
    found: dict[float, bytes] = {}
    for first in range(0, len(shots), _AT_ONCE):
        some = shots[first : first + _AT_ONCE]
        pictures = {f"shot{n}": _Picture() for n in range(len(some))}
        try:
            read_by_tool(
                path,
                _arguments(path, media, some, settings, key_frames=key_frames),
                settings,
                deadline_s=_DEADLINE_S,
                sinks=pictures,
                cancelled=cancelled,
            )
        except (ToolFailed, MediaRejected) as exc:
            log.info("thumbnails_missed", error=str(exc))
        jpegs = [picture.jpeg for picture in pictures.values()]
        found |= {shot.start_s: jpeg for shot, jpeg in zip(some, jpegs, strict=True) if jpeg}
    return found


class _Picture:
    """A sink for one JPEG; empty if it is not whole, or too large to be one of ours."""

    def __init__(self) -> None:
        self._data = b""

    def __call__(self, data: bytes) -> None:
        if len(self._data) <= MOST_BYTES:
            self._data += data

    @property
    def jpeg(self) -> bytes:
        whole = self._data.startswith(b"\xff\xd8") and self._data.endswith(b"\xff\xd9")
        return self._data if whole and len(self._data) <= MOST_BYTES else b""


def _arguments(
    path: Path, media: MediaInfo, shots: Sequence[Shot], settings: Settings, *, key_frames: bool
) -> list[str]:
    """One input for each shot, opened like everywhere, and one output of one picture for each."""
    opened = [word for name, value in options(settings).items() for word in (f"-{name}", str(value))]
    skipping = ["-skip_frame", "nokey"] if key_frames else []
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error"]
    for shot in shots:
        command += [*opened, *skipping, "-threads", "1", "-ss", f"{_seek_s(shot):.6f}", "-i", address(path)]
    width, height = f"max(2,min({WIDTH},{HEIGHT}*dar))", f"max(2,min({HEIGHT},{WIDTH}/dar))"
    for n, shot in enumerate(shots):
        picture = (
            f"trim=end={shot.end_s - _WITHIN_S - _seek_s(shot):.6f},"  # ends the reading, too
            f"scale=w='{width}':h='{height}',setsar=1,format=yuvj420p"
        )
        command += ["-map", f"{n}:{media.video_index}", "-vf", picture, "-frames:v", "1", "-threads", "1"]
        command += ["-c:v", "mjpeg", "-q:v", "6", "-f", "image2pipe", f"pipe:shot{n}"]
    return command


def _seek_s(shot: Shot) -> float:
    return max(0.0, shot.start_s - _WITHIN_S)
