"""How untrusted files are opened: which formats, by which protocol, and how much of them is looked at.

Probing and decoding open a file with the same options, so that both see the same streams in the same order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from inspector.settings import Settings

#: What people record, edit and upload. Every demuxer here reads the one file it is given; those that open
#: others (hls, dash, concat, image2, sdp, ...) or run filters (lavfi) must never join them.
VIDEO_FORMATS: Final = (
    "mov",  # and mp4, m4a, 3gp
    "matroska",  # and webm
    "avi",
    "mpegts",
    "mpeg",
    "ogg",
    "flv",
    "asf",
    "gif",
    "mxf",
    "wtv",
    "dv",
    "nut",
    "rm",
    "ivf",
    "h264",
    "hevc",
    "obu",
    "m4v",
    "mpegvideo",
)
#: Opened only to say "no video stream" instead of "disallowed format".
SOUND_FORMATS: Final = ("mp3", "wav", "flac", "aac")

PROBE_BYTES: Final = 10_000_000  # twice ffmpeg's own: 5 MB may end before the sound of a 4K broadcast begins
ANALYSE_US: Final = 10_000_000

#: What ffmpeg says, as if it had no memory, when it meets one stream more than `max_streams`.
BEYOND_MAX_STREAMS: Final = "exceeds max_streams"

SHORTEST_S: Final = 1e-3  # a duration of zero is too short even where `min_duration_s` is 0

#: The first bytes of text files that name other files: playlists are no videos, whatever their name says.
PLAYLISTS: Final = (b"#EXTM3U", b"ffconcat version", b"[playlist]", b"<ASX", b"<MPD", b"<smil", b"v=0")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

#: What the formats above begin with (where, which bytes). A file that has such a beginning and cannot be
#: opened is damaged; without one it is no media at all.
SIGNATURES: Final = (
    *((4, box) for box in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")),
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"RIFF"),
    (0, b"OggS"),
    (0, b"FLV"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x06\x0e\x2b\x34"),  # MXF
    (0, b"GIF8"),
    (0, b".RMF"),
    (0, b"DKIF"),
    (0, b"nut/multimedia container"),
)
BEGINNING_BYTES: Final = 64


def address(path: Path) -> str:
    """The file as ffmpeg is to open it: no name can be taken for an option or for another protocol."""
    return f"file:{path.absolute()}"


def options(settings: Settings, *, sound_only: bool = False) -> dict[str, str | int]:
    """Input options, the same for ffprobe and ffmpeg. sound_only: allow formats that cannot hold video."""
    formats = (*VIDEO_FORMATS, *SOUND_FORMATS) if sound_only else VIDEO_FORMATS
    return {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(formats),
        "probesize": PROBE_BYTES,
        "analyzeduration": ANALYSE_US,
        "max_streams": settings.max_streams + 1,  # one more than allowed, to see that they are too many
        "max_pixels": settings.max_pixels,
    }


def is_playlist(beginning: bytes) -> bool:
    """Whether a file that begins so is a list of other files."""
    return beginning.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(PLAYLISTS)


def is_media(beginning: bytes) -> bool:
    """Whether a file that begins so was meant to be a video."""
    return any(beginning.startswith(magic, where) for where, magic in SIGNATURES)
