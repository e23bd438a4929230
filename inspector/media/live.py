"""Live sources: which may be opened, by which protocols, and how ffmpeg hands on what they deliver.

This is the only place where ffmpeg may use the network, and only for an address that the operator names. Each
kind of address has its own list of protocols: a playlist from the web leads to the web, never to a file here.
Which formats may be opened is a list, too, as for files (`inspector.media.opening`).
"""

from __future__ import annotations

import re
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit, urlunsplit

from inspector.errors import ConfigError, ToolFailed
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
#: A host may be left out: they listen for whoever sends.
LISTENING: Final = frozenset({"srt", "udp", "rtp"})
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
#: One ffmpeg may work for so long: longer than any recording, so none ends because of it.
LONGEST_RUN_S: Final = 365 * 24 * 3600.0
_PLAYLIST: Final = b"#EXTM3U"
_XML: Final = (b"<?xml", b"<MPD")  # how DASH begins
_LOOK_TIMEOUT_S: Final = 5.0
_LOOK_BYTES: Final = 2**20
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_SHORTEST_SECRET: Final = 3  # shorter ones would be found in words


def check_source(url: str) -> str:
    """The scheme of an address that may be recorded. Raises ConfigError, which says what may."""
    try:
        parts = urlsplit(url)
        known = parts.scheme.lower() in PROTOCOLS and url.isprintable()
        _ = parts.port  # read only now
    except ValueError:
        raise ConfigError("that cannot be recorded: its host or port cannot be read") from None
    if not known:
        allowed = ", ".join(f"{name}://" for name in PROTOCOLS)
        raise ConfigError(f"that cannot be recorded: the address must begin with one of {allowed}")
    if not parts.hostname and parts.scheme.lower() not in LISTENING:
        raise ConfigError("that cannot be recorded: the address names no host")
    return parts.scheme.lower()


def shown_source(url: str) -> str:
    """The address as everybody may see it: without user, password and query, and without the key of RTMP."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    place = parts.netloc.rpartition("@")[2]
    path = parts.path
    if parts.scheme.lower().startswith("rtmp"):
        path = path.rpartition("/")[0] + "/…"
    return f"{parts.scheme.lower()}://{place}{path}"


def without_secrets(text: str, url: str) -> str:
    """What ffmpeg said of a source, as everybody may see it: addresses are shown, secrets are not."""
    text = _ADDRESS.sub(lambda found: shown_source(found[0]), text.replace(url, shown_source(url)))
    parts = urlsplit(url)
    secrets = {parts.netloc.rpartition("@")[0], parts.password, parts.query}
    secrets |= {value for _, value in parse_qsl(parts.query)}
    if parts.scheme.lower().startswith("rtmp"):
        secrets.add(parts.path.rpartition("/")[2])
    for secret in sorted((each for each in secrets if each), key=len, reverse=True):
        for form in {secret, unquote(secret)}:
            text = text.replace(form, "…") if len(form) >= _SHORTEST_SECRET else text
    return text


@dataclass(frozen=True, slots=True)
class WebSource:
    """What lies under an address of the web. playlist: HLS.  ended: nothing is added to it any more."""

    playlist: bool
    ended: bool


def look_at(url: str) -> WebSource | None:
    """What a source of the web is; None if it does not answer, or is none of the web."""
    if check_source(url) not in ("http", "https"):
        return None
    try:
        head, sized = _fetch(url)
        variant = _variant(head)
        if variant is not None:
            head, _ = _fetch(urljoin(url, variant))
    except (OSError, ValueError, HTTPException):
        return None
    if head.startswith(_PLAYLIST):
        return WebSource(playlist=True, ended=b"#EXT-X-ENDLIST" in head)
    return WebSource(playlist=False, ended=sized and b'type="dynamic"' not in head)


def is_named_playlist(url: str) -> bool:
    """Whether the address of a source that does not answer looks like a playlist's."""
    return check_source(url) in ("http", "https") and urlsplit(url).path.lower().endswith((".m3u8", ".m3u"))


def _fetch(url: str) -> tuple[bytes, bool]:
    """The beginning of what lies there, all of it if it is a playlist; and whether its length is told."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place)))  # noqa: S310 - http only
    if user:
        request.add_header("Authorization", f"Basic {b64encode(unquote(user).encode()).decode()}")
    with urllib.request.urlopen(request, timeout=_LOOK_TIMEOUT_S) as answer:  # noqa: S310 - http only
        head: bytes = answer.read(len(_PLAYLIST))
        sized = answer.headers["Content-Length"] is not None
        if head.startswith((_PLAYLIST, *_XML)):
            head += answer.read(_LOOK_BYTES)
        return head, sized


def _variant(head: bytes) -> str | None:
    """The first of the playlists that a playlist of playlists names."""
    if not head.startswith(_PLAYLIST) or b"#EXT-X-STREAM-INF" not in head:
        return None
    lines = [line.strip() for line in head.decode(errors="replace").splitlines()]
    return next((line for line in lines if line and not line.startswith("#")), None)


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
    stall_s: float,
    cancelled: Callable[[], bool],
) -> None:
    """Hand on what the source delivers, as a transport stream, until it ends.

    Raises what `run_tool` raises, without the secrets of the address: ToolKilled, ToolStalled (nothing came
    for `stall_s`), ToolFailed, Interrupted.
    """
    try:
        run_tool(
            arguments(url, playlist=playlist, analyse_s=analyse_s),
            limits=ToolLimits(settings.tool_memory_bytes, cpu_s=LONGEST_RUN_S),
            deadline_s=LONGEST_RUN_S,
            stall_s=stall_s,
            sinks={"stdout": sink},
            cancelled=cancelled,
        )
    except ToolFailed as exc:
        exc.args = (without_secrets(str(exc), url),)
        exc.stderr = without_secrets(exc.stderr, url)
        raise
