"""Asks ffprobe what a file is, and rejects what we do not inspect.

The file comes from a stranger. ffprobe may open it and nothing else (`inspector.media.opening`), prints only
the fields we use, and its answer is parsed as leniently as possible: what is absent or odd is unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from pydantic import BaseModel, BeforeValidator, ValidationError

from inspector.errors import MediaRejected, RejectReason, ToolFailed
from inspector.media.opening import (
    BEGINNING_BYTES,
    BEYOND_MAX_STREAMS,
    SHORTEST_S,
    address,
    is_media,
    is_playlist,
    options,
)
from inspector.media.reading import is_about_media, read_by_tool
from inspector.media.tool import Sink, never
from inspector.model import AudioInfo, MediaInfo
from inspector.settings import Settings

ANSWER_BYTES: Final = 4 * 2**20  # ffprobe's answer about 65 streams takes 30 KB

#: Packets read to see whether frames are evenly spaced. The last of them are left out: a frame may be decoded
#: up to 16 frames before one that is shown earlier (H.264), so their neighbours may be missing.
SPACING_PACKETS: Final = 96
REORDERED: Final = 16
LEAST_GAPS: Final = 8
UNEVEN_PART: Final = 0.25  # of the usual distance between frames
UNEVEN_S: Final = 0.011  # more than rounding to hundredths of a second (GIF) can make of even distances
UNEVEN_SHARE: Final = 0.05  # of the distances: a dropped frame or two make no variable rate
RATE_TOLERANCE: Final = 0.01

ENTRIES: Final = (
    "format=format_name,duration,start_time,bit_rate,nb_streams"
    ":stream=index,codec_type,codec_name,width,height,r_frame_rate,avg_frame_rate,sample_rate,channels"
    ":stream_disposition=default,attached_pic,timed_thumbnails"
    ":stream_tags=rotate:stream_side_data=rotation:packet=stream_index,pts_time"
)

TOO_MANY_PIXELS: Final = "exceeds specified max pixel count"
#: What ffmpeg says of sizes that are beyond its own arithmetic.
ABSURD_SIZE: Final = re.compile(r"Picture size [1-9]\d*x[1-9]\d* is invalid")
#: What ffprobe says of a file it cannot open, and what that means. NOT_MEDIA becomes UNREADABLE where the
#: file begins like a video. Anything else that is about the file is UNREADABLE too.
COMPLAINTS: Final = (
    ("Format not on whitelist", RejectReason.DISALLOWED_FORMAT),
    (BEYOND_MAX_STREAMS, RejectReason.TOO_MANY_STREAMS),
    (TOO_MANY_PIXELS, RejectReason.TOO_LARGE_PIXELS),
    ("unspecified size", RejectReason.ZERO_DIMENSIONS),
    ("Could not open codec", RejectReason.UNREADABLE),
    ("Not yet implemented", RejectReason.UNREADABLE),
    ("moov atom not found", RejectReason.NOT_MEDIA),
    ("Invalid data found", RejectReason.NOT_MEDIA),
    ("End of file", RejectReason.NOT_MEDIA),
)


def probe_media(path: Path, settings: Settings, *, cancelled: Callable[[], bool] = never) -> MediaInfo:
    """What kind of video a file is.

    Raises MediaRejected with the reason if it is none, or none we accept; ToolFailed and its kind if ffprobe
    could not do its work; Interrupted, or what `cancelled` raises.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise MediaRejected(RejectReason.EMPTY, "the file has no bytes")
    with path.open("rb") as file:
        beginning = file.read(BEGINNING_BYTES)
    if is_playlist(beginning):
        raise MediaRejected(RejectReason.DISALLOWED_FORMAT, "a list of other files")
    answer, complaints = _ask(path, beginning, settings, cancelled)
    return _describe(_parse(answer), complaints, size_bytes, settings)


# ---------------------------------------------------------------- asking


def _ask(
    path: Path, beginning: bytes, settings: Settings, cancelled: Callable[[], bool]
) -> tuple[bytes, str]:
    """ffprobe's answer, and what it complained of."""
    answer = bytearray()
    try:
        complaints = read_by_tool(
            path,
            _arguments(path, settings),
            settings,
            deadline_s=settings.probe_timeout_s,
            sinks={"stdout": _collect(answer)},
            cancelled=cancelled,
        )
    except ToolFailed as exc:
        raise _rejection(exc, beginning) from exc
    return bytes(answer), complaints


def _arguments(path: Path, settings: Settings) -> list[str]:
    opening = [
        part
        for name, value in options(settings, sound_only=True).items()
        for part in (f"-{name}", str(value))
    ]
    reading = ["-show_entries", ENTRIES, "-read_intervals", f"%+#{SPACING_PACKETS}", "-of", "json=compact=1"]
    return ["ffprobe", "-v", "warning", "-hide_banner", *opening, *reading, "-i", address(path)]


def _rejection(failure: ToolFailed, beginning: bytes) -> Exception:
    """What ffprobe's failure says about the file; the failure itself if it says nothing."""
    if type(failure) is not ToolFailed:
        return failure
    for words, reason in COMPLAINTS:
        if words in failure.stderr:
            if reason is RejectReason.NOT_MEDIA and is_media(beginning):
                reason = RejectReason.UNREADABLE
            return MediaRejected(reason, f"ffprobe: {words}")
    if is_about_media(failure):
        return MediaRejected(RejectReason.UNREADABLE, "ffprobe cannot read it")
    return failure


def _collect(answer: bytearray) -> Sink:
    def take(data: bytes) -> None:
        answer.extend(data)
        if len(answer) > ANSWER_BYTES:
            raise MediaRejected(RejectReason.UNREADABLE, "its description is too long to be true")

    return take


# ---------------------------------------------------------------- parsing


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _count(value: Any) -> int:
    return max(0, int(_number(value) or 0))


def _rate(value: Any) -> float | None:
    try:
        return float(Fraction(value)) or None
    except (TypeError, ValueError, ZeroDivisionError):
        return None


Number = Annotated[float | None, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_count)]
Rate = Annotated[float | None, BeforeValidator(_rate)]


class _Disposition(BaseModel):
    default: Count = 0
    attached_pic: Count = 0
    timed_thumbnails: Count = 0


class _Tags(BaseModel):
    rotate: Number = None


class _SideData(BaseModel):
    rotation: Number = None


class _Stream(BaseModel):
    index: int
    codec_type: str = ""
    codec_name: str = "unknown"
    width: Count = 0
    height: Count = 0
    r_frame_rate: Rate = None
    avg_frame_rate: Rate = None
    sample_rate: Count = 0
    channels: Count = 0
    disposition: _Disposition = _Disposition()
    tags: _Tags = _Tags()
    side_data_list: list[_SideData] = []

    @property
    def is_video(self) -> bool:
        """Whether it is a moving picture; cover art and thumbnails are none."""
        still = self.disposition.attached_pic or self.disposition.timed_thumbnails
        return self.codec_type == "video" and not still

    @property
    def is_sound(self) -> bool:
        return self.codec_type == "audio" and self.sample_rate > 0 and self.channels > 0


class _Format(BaseModel):
    format_name: str = "unknown"
    duration: Number = None
    start_time: Number = None
    bit_rate: Number = None
    nb_streams: Count = 0


class _Packet(BaseModel):
    stream_index: int = -1
    pts_time: Number = None


class _Answer(BaseModel):
    format: _Format = _Format()
    streams: list[_Stream] = []
    packets: list[_Packet] = []


def _parse(answer: bytes) -> _Answer:
    try:
        return _Answer.model_validate_json(answer)
    except ValidationError as exc:
        raise MediaRejected(RejectReason.UNREADABLE, "ffprobe's answer makes no sense") from exc


# ---------------------------------------------------------------- describing


def _describe(answer: _Answer, complaints: str, size_bytes: int, settings: Settings) -> MediaInfo:
    if max(answer.format.nb_streams, len(answer.streams)) > settings.max_streams:
        raise MediaRejected(RejectReason.TOO_MANY_STREAMS, f"more than {settings.max_streams}")
    video = _best([s for s in answer.streams if s.is_video], by=lambda s: s.width * s.height)
    if video is None:
        raise MediaRejected(RejectReason.NO_VIDEO_STREAM)
    _check_size(video, complaints, settings)
    duration_s = _check_duration(answer.format.duration, settings)
    sound = _best([s for s in answer.streams if s.is_sound], by=lambda s: s.channels)
    bit_rate = answer.format.bit_rate
    return MediaInfo(
        container=answer.format.format_name,
        duration_s=duration_s,
        start_time_s=answer.format.start_time or 0.0,
        video_codec=video.codec_name,
        video_index=video.index,
        width=video.width,
        height=video.height,
        rotation_deg=_rotation(video),
        frame_rate=video.avg_frame_rate or video.r_frame_rate,
        variable_frame_rate=_rates_disagree(video) or _unevenly_spaced(video, answer.packets),
        size_bytes=size_bytes,
        audio=AudioInfo(sound.codec_name, sound.sample_rate, sound.channels) if sound else None,
        audio_index=sound.index if sound else None,
        bit_rate_bps=round(bit_rate) if bit_rate else None,
    )


def _best(streams: Sequence[_Stream], *, by: Callable[[_Stream], int]) -> _Stream | None:
    """The stream a player would choose: a default one, then the largest, then the first."""
    return max(streams, key=lambda s: (s.disposition.default, by(s)), default=None)


def _check_size(video: _Stream, complaints: str, settings: Settings) -> None:
    pixels = video.width * video.height
    withheld = TOO_MANY_PIXELS in complaints or ABSURD_SIZE.search(complaints)
    if pixels > settings.max_pixels or (pixels == 0 and withheld):
        raise MediaRejected(RejectReason.TOO_LARGE_PIXELS, f"more than {settings.max_pixels} pixels")
    if pixels == 0:
        raise MediaRejected(RejectReason.ZERO_DIMENSIONS, f"{video.width}×{video.height}")


def _check_duration(duration_s: float | None, settings: Settings) -> float | None:
    """The declared duration; None if none is declared, as in a live WebM."""
    if duration_s is None or duration_s < 0:
        return None
    if duration_s > settings.max_duration_s:
        raise MediaRejected(RejectReason.TOO_LONG, f"{duration_s:.0f} s")
    if duration_s < max(settings.min_duration_s, SHORTEST_S):
        raise MediaRejected(RejectReason.TOO_SHORT, f"{duration_s:.3f} s")
    return duration_s


def _rotation(video: _Stream) -> int:
    """Degrees to turn the picture clockwise before it is shown; multiples of 90."""
    counter_clockwise = next((s.rotation for s in video.side_data_list if s.rotation is not None), None)
    degrees = -counter_clockwise if counter_clockwise is not None else video.tags.rotate or 0.0
    return round(degrees / 90) * 90 % 360


def _rates_disagree(video: _Stream) -> bool:
    """Whether the least common rate of all times is neither the average rate nor, interlaced, its double."""
    if not video.r_frame_rate or not video.avg_frame_rate:
        return False
    ratio = video.r_frame_rate / video.avg_frame_rate
    return min(abs(ratio - 1), abs(ratio / 2 - 1)) > RATE_TOLERANCE


def _unevenly_spaced(video: _Stream, packets: Sequence[_Packet]) -> bool:
    """Whether the first frames stand at uneven distances: Matroska declares no rate to disagree with."""
    times = [p.pts_time for p in packets if p.stream_index == video.index]
    known = sorted({t for t in times if t is not None})
    gaps = np.diff(known[:-REORDERED])
    if None in times or len(gaps) < LEAST_GAPS:
        return False
    usual = np.median(gaps)
    uneven = np.abs(gaps - usual) > max(UNEVEN_PART * usual, UNEVEN_S)
    return bool(np.mean(uneven) > UNEVEN_SHARE)
