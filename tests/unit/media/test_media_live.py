"""Which addresses may be recorded."""

from __future__ import annotations

import pytest

from inspector.errors import ConfigError
from inspector.media.live import check_source, shown_source


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
