"""Which addresses may be recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.errors import ConfigError
from inspector.media.live import WebSource, check_source, look_at, shown_source, without_secrets
from tests.broadcast import served


@pytest.mark.parametrize(
    "address",
    ["/etc/passwd", "file:///etc/passwd", "concat:a|b", "lavfi:testsrc", "pipe:0", "-i", "", "http://a\n"],
)
def test_what_is_no_stream_of_the_network_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="must begin with one of http://"):
        check_source(address)


@pytest.mark.parametrize(
    "address", ["https://a/live.m3u8", "RTSP://cam/1", "srt://0.0.0.0:9000?mode=listener"]
)
def test_streams_of_the_network_may_be_recorded(address: str) -> None:
    assert check_source(address) == address.partition(":")[0].lower()


def test_an_address_is_shown_without_its_secrets() -> None:
    shown = shown_source("https://user:hunter2@example.org/live.m3u8?token=hunter2")
    assert "hunter2" not in shown
    assert "example.org/live.m3u8" in shown
    for strange in ("http://[::1/x", "rtmp://user:pass/word@host/x", "http:///x", "rtsp://host:99999/1"):
        with pytest.raises(ConfigError, match="cannot be recorded"):
            check_source(strange)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://me:hunter2@h/x.m3u8?t=hunter2", "http://me:hunter2@h/x.m3u8?t=hunter2: refused"),
        ("http://me:hunt%40er2@h/x", "[http] user hunt@er2 unknown; tried http://me:hunt%40er2@h/seg1.ts"),
        ("rtmp://h/live/hunter2", "[rtmp] no stream hunter2 at rtmp://h/live/hunter2"),
        ("srt://h:1?passphrase=hunter2&streamid=a", "srt: hunter2 is too short"),
        ("https://h/x", "redirected to https://cdn/x?token=hunter2"),
    ],
)
def test_what_ffmpeg_says_is_told_without_secrets(address: str, said: str) -> None:
    told = without_secrets(said, address)
    assert "hunter2" not in told
    assert "er2" not in told
    assert len(told) > 5


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n0.ts\n"


def test_a_source_of_the_web_tells_what_it_is_and_whether_it_has_ended(tmp_path: Path) -> None:
    files = {
        "live": PLAYLIST,
        "over.m3u8": PLAYLIST + "#EXT-X-ENDLIST\n",
        "master.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/live.m3u8\n",
        "low/live.m3u8": PLAYLIST,
        "film.mp4": "film",
        "live.mpd": '<?xml version="1.0"?><MPD type="dynamic"/>',
    }
    (tmp_path / "low").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with served(tmp_path) as address:
        found = {name: look_at(f"{address}/{name}") for name in files}
        assert look_at(f"{address}/none") is None
        withheld = address.replace("//", "//me:hunter2@") + "/live"
        assert look_at(withheld) == WebSource(playlist=True, ended=False)
    live = WebSource(playlist=True, ended=False)
    assert found == {
        "live": live,
        "over.m3u8": WebSource(playlist=True, ended=True),
        "master.m3u8": live,
        "low/live.m3u8": live,
        "film.mp4": WebSource(playlist=False, ended=True),
        "live.mpd": WebSource(playlist=False, ended=False),
    }
    assert look_at(f"{address}/live") is None
    assert look_at("udp://127.0.0.1:1") is None
