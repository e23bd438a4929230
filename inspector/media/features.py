"""What the installed ffmpeg can do of what is asked of it: distributions leave parts out."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from inspector.media.opening import VIDEO_FORMATS
from inspector.media.tool import ToolLimits, run_tool

_LIMITS: Final = ToolLimits(memory_bytes=4 * 2**30, cpu_s=10)
_DEADLINE_S: Final = 5.0

#: What the one decoding pass, remuxes and thumbnails are made of (see `graph`, `essence`, `thumbnails`).
FILTERS: Final = ("scale", "format", "split", "transpose", "hflip", "vflip", "aresample", "aformat", "asplit")
MUXERS: Final = ("rawvideo", "framecrc", "s16le", "image2pipe")
ENCODERS: Final = ("rawvideo", "pcm_s16le", "mjpeg")
#: What most uploads are coded in; of each line one decoder is enough.
DECODERS: Final = (
    ("h264",),
    ("hevc",),
    ("vp8", "libvpx"),
    ("vp9", "libvpx-vp9"),
    ("av1", "libdav1d", "libaom-av1"),
    ("mpeg2video",),
    ("mpeg4",),
    ("prores",),
    ("aac",),
    ("mp3", "mp3float"),
    ("opus", "libopus"),
    ("ac3",),
)


@dataclass(frozen=True, slots=True)
class Features:
    """What is missing. vital: without it nothing can be inspected; codecs, formats: some videos cannot."""

    version: str
    vital: tuple[str, ...]
    codecs: tuple[str, ...]
    formats: tuple[str, ...]


def ffmpeg_features() -> Features:
    """Ask ffmpeg what it can do. Raises ToolFailed."""
    vital = [f"filter {name}" for name in _missing(FILTERS, _listed("-filters"))]
    vital += [f"muxer {name}" for name in _missing(MUXERS, _listed("-muxers"))]
    vital += [f"encoder {name}" for name in _missing(ENCODERS, _listed("-encoders"))]
    decoders, demuxers = _listed("-decoders"), _listed("-demuxers")
    codecs = [names[0] for names in DECODERS if not decoders & set(names)]
    version = _answer("-version").split(" ", 3)[2]
    return Features(version, tuple(vital), tuple(codecs), tuple(_missing(VIDEO_FORMATS, demuxers)))


def _missing(wanted: Collection[str], found: set[str]) -> list[str]:
    return [name for name in wanted if name not in found]


def _listed(option: str) -> set[str]:
    """The names in the second column of one of ffmpeg's lists; some share a line (`mov,mp4,m4a`)."""
    lines = (line.split() for line in _answer(option).splitlines())
    return {name for words in lines if len(words) > 1 for name in words[1].split(",")}


def _answer(option: str) -> str:
    said = bytearray()
    program = shutil.which("ffmpeg") or "ffmpeg"
    run_tool(
        [program, "-hide_banner", option],
        limits=_LIMITS,
        deadline_s=_DEADLINE_S,
        sinks={"stdout": said.extend},
    )
    return said.decode(errors="replace")
