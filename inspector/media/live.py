"""Live sources: which may be opened, by which protocols, and how ffmpeg hands on what they deliver.

This is the only place where ffmpeg may use the network, and only for an address that the operator names. Each
kind of address has its own list of protocols: a playlist from the web leads to the web, never to a file here.
Which formats may be opened is a list, too, as for files (`inspector.media.opening`).
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from inspector.errors import ConfigError
from inspector.media.opening import SOUND_FORMATS, VIDEO_FORMATS
from inspector.media.tool import Sink, ToolLimits, run_tool
from inspector.settings import Settings

#: By the scheme of the address: the protocols that it may lead to.
PROTOCOLS: Final = {
    "http": "http,https,httpproxy,tcp,tls,crypto",
    "https": "http,https,httpproxy,tcp,tls,crypto",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtsp,rtp,srtp,udp,tcp,tls",
    "srt": "srt,udp",
    "udp": "udp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
}
_FORMATS: Final = (
    *VIDEO_FORMATS,
    *SOUND_FORMATS,
    *("hls", "dash", "rtsp", "rtp", "sdp", "live_flv", "ac3", "eac3", "webvtt"),
)
#: Packets as they are, with the source's own times; a frame to a PES packet, written out at once.
AS_TRANSPORT: Final = (
    *("-c", "copy", "-sn", "-dn", "-copyts", "-muxdelay", "0", "-muxpreload", "0"),
    *("-mpegts_copyts", "1", "-pes_payload_size", "0", "-flush_packets", "1"),
)
#: ffmpeg keeps what it analyses to itself, and takes it along when it is killed: so, no longer than needed.
ANALYSE_S: Final = 1.0
LONGEST_ANALYSIS_S: Final = 10.0
_PLAYLIST: Final = b"#EXTM3U"
_SNIFF_TIMEOUT_S: Final = 5.0


def check_source(url: str) -> str:
    """The scheme of an address that may be recorded. Raises ConfigError, which says what may."""
    scheme = urlsplit(url).scheme.lower()
    if scheme not in PROTOCOLS or not url.isprintable():
        allowed = ", ".join(f"{name}://" for name in PROTOCOLS)
        raise ConfigError(f"that cannot be recorded: the address must begin with one of {allowed}")
    return scheme


def shown_source(url: str) -> str:
    """The address as everybody may see it: without user, password and query, and without the key of RTMP."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    path = parts.path
    if parts.scheme.lower().startswith("rtmp"):
        path = path.rpartition("/")[0] + "/…"
    return f"{parts.scheme.lower()}://{place}{path}"


def is_playlist(url: str) -> bool:
    """Whether the address names a playlist (HLS): by its first bytes, or its name if they cannot be had."""
    if check_source(url) not in ("http", "https"):
        return False
    try:
        with urllib.request.urlopen(url, timeout=_SNIFF_TIMEOUT_S) as answer:  # noqa: S310 - http only
            return bool(answer.read(len(_PLAYLIST)) == _PLAYLIST)
    except (OSError, ValueError, urllib.error.URLError):
        return urlsplit(url).path.lower().endswith((".m3u8", ".m3u"))


def arguments(url: str, *, playlist: bool, analyse_s: float = ANALYSE_S) -> list[str]:
    """ffmpeg's command line, which writes to the sink `stdout`.

    playlist: begin with the oldest segment that is offered; what is known already is told by its times.
    analyse_s: how long to look for streams before anything is handed on.
    """
    opening = ["-analyzeduration", str(round(analyse_s * 1e6))]
    opening += ["-protocol_whitelist", PROTOCOLS[check_source(url)], "-format_whitelist", ",".join(_FORMATS)]
    if playlist:
        opening += ["-live_start_index", "0"]
    if urlsplit(url).scheme.lower().startswith("rtsp"):
        opening += ["-rtsp_transport", "tcp"]  # a lost packet of UDP is a broken picture
    quiet = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "warning"]
    return [*quiet, *opening, "-i", url, *AS_TRANSPORT, "-f", "mpegts", "pipe:1"]


def capture(
    url: str,
    settings: Settings,
    *,
    playlist: bool,
    analyse_s: float,
    sink: Sink,
    longest_s: float,
    stall_s: float,
    cancelled: Callable[[], bool],
) -> None:
    """Hand on what the source delivers, as a transport stream, until it ends.

    Raises what `run_tool` raises: ToolKilled, ToolStalled (nothing came for `stall_s`), ToolTimeout after
    `longest_s`, ToolFailed, Interrupted.
    """
    run_tool(
        arguments(url, playlist=playlist, analyse_s=analyse_s),
        limits=ToolLimits(settings.tool_memory_bytes, cpu_s=longest_s),
        deadline_s=longest_s,
        stall_s=stall_s,
        sinks={"stdout": sink},
        cancelled=cancelled,
    )
