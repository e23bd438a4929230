"""Which streams a file holds, whatever container they lie in: read, never decoded.

Pictures and sounds that were only put into another container (MP4, MOV, MKV, FLV) are the same packets there.
ffmpeg copies them, undecoded, into a pipe for each stream, as its `streamhash` muxer would take them; we
compute the sha256, because ffmpeg's own has no use for the processor's instructions for it. The times of the
packets come beside them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

from inspector.errors import ToolFailed
from inspector.media.opening import address, options
from inspector.media.reading import read_by_tool
from inspector.media.streams import NO_TIME
from inspector.media.tool import never
from inspector.model import Essence, MediaInfo, Progress
from inspector.settings import Settings

VIDEO: Final = "video"
AUDIO: Final = "audio"
TIMES: Final = "times"

#: The `data` muxer minds times though it writes none, and times rounded to milliseconds may be equal: it gets
#: the packets' numbers instead.
NUMBERED: Final = "setts=ts=N"
#: So many packets of a stream, evenly spread, keep their times, up to twice as many.
KEPT_TIMES: Final = 32


def read_essence(
    path: Path,
    media: MediaInfo,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], object],
    cancelled: Callable[[], bool] = never,
) -> Essence | None:
    """What the chosen streams of a file hold; None if that cannot be told for sure.

    None: the file declares no duration, a packet has no time, or ffmpeg complains of anything (a file that is
    cut off, for instance). Decoding will tell more.
    Raises the kinds of ToolFailed that say nothing about the file, MediaRejected for one that demands too
    much, Interrupted, and what the callables raise.
    """
    duration_s = media.duration_s
    if duration_s is None:
        return None
    digests = {name: hashlib.sha256() for name in _chosen(media)}
    times = PacketTimes()

    def take_times(data: bytes) -> None:
        times.take(data)
        on_progress(Progress(min(1.0, max(0.0, times.latest_s / duration_s))))

    deadline_s = settings.analysis_deadline_s(duration_s)
    try:
        complaints = read_by_tool(
            path,
            copying_arguments(path, media, settings),
            settings,
            deadline_s=deadline_s,
            stall_s=settings.stall_timeout_s,
            sinks={**{name: digest.update for name, digest in digests.items()}, TIMES: take_times},
            cancelled=cancelled,
        )
    except ToolFailed as exc:
        if type(exc) is not ToolFailed:
            raise
        return None
    if complaints or not times.complete:
        return None
    held = [_description(media), *(digest.hexdigest() for digest in digests.values())]
    digest = hashlib.sha256(json.dumps(held).encode()).digest()
    return Essence(digest, times.kept_ms, round(duration_s * 1000))


def copying_arguments(path: Path, media: MediaInfo, settings: Settings) -> list[str]:
    """The argument list that copies the chosen streams, and their packets' times, into the pipes above."""
    opening = [part for name, value in options(settings).items() for part in (f"-{name}", str(value))]
    maps = {name: ["-map", f"0:{index}"] for name, index in _chosen(media).items()}
    copied = ["-c", "copy", "-copyinkf", "-flush_packets", "0"]
    raw = [*copied, "-bsf", NUMBERED, "-f", "data"]
    outputs = [word for name, chosen in maps.items() for word in (*chosen, *raw, f"pipe:{name}")]
    both = [word for chosen in maps.values() for word in chosen]
    return [
        *("ffmpeg", "-nostdin", "-hide_banner", "-v", "error", *opening, "-i", address(path)),
        *(*outputs, *both, *copied, "-f", "framecrc", f"pipe:{TIMES}"),
    ]


def _chosen(media: MediaInfo) -> dict[str, int]:
    video = {VIDEO: media.video_index}
    return video if media.audio_index is None else {**video, AUDIO: media.audio_index}


def _description(media: MediaInfo) -> list[object]:
    """What else decides what is seen and heard: the same packets turned by 90° are another picture."""
    audio = media.audio
    sound = [audio.codec, audio.sample_rate_hz, audio.channels] if audio else []
    return [media.video_codec, media.width, media.height, media.rotation_deg, *sound]


class PacketTimes:
    """Reads the `framecrc` output of one or two streams, and keeps the times of evenly spread packets.

    latest_s: the latest time so far.  complete: whether every packet has a time.
    """

    def __init__(self) -> None:
        self.latest_s = 0.0
        self.complete = True
        self._rest = b""
        self._units_s: dict[bytes, float] = {}
        self._kept: dict[bytes, _Spread] = {}

    @property
    def kept_ms(self) -> tuple[int, ...]:
        """Presentation times from the container's start: of the first stream, then of the second."""
        return tuple(
            round(1000 * time * self._units_s[stream])
            for stream, spread in sorted(self._kept.items())
            for time in spread.values
        )

    def take(self, data: bytes) -> None:
        """The next piece of output. Lines read `stream, dts, pts, duration, size, checksum`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"#tb "):
                stream, _, unit = line.removeprefix(b"#tb ").partition(b":")
                self._units_s[stream] = float(Fraction(unit.decode().strip()))
                self._kept[stream] = _Spread()
            elif line and not line.startswith(b"#"):
                stream, _, pts, _ = line.split(b",", 3)
                self._add(stream, int(pts))

    def _add(self, stream: bytes, pts: int) -> None:
        self._kept[stream].add(pts)
        self.complete = self.complete and pts != NO_TIME
        self.latest_s = max(self.latest_s, pts * self._units_s[stream])


class _Spread:
    """Keeps the values at multiples of a power of two, which grows as the values do."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self._count = 0
        self._step = 1

    def add(self, value: int) -> None:
        if self._count % self._step == 0:
            self.values.append(value)
        self._count += 1
        if len(self.values) == 2 * KEPT_TIMES:
            self.values = self.values[::2]
            self._step *= 2
