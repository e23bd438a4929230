"""What may be opened, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.media.opening import SOUND_FORMATS, VIDEO_FORMATS, address, is_media, is_playlist, options
from inspector.settings import load_settings


def test_no_format_that_opens_other_files_is_allowed() -> None:
    openers = {
        "hls",
        "applehttp",
        "concat",
        "dash",
        "sdp",
        "rtsp",
        "image2",
        "tee",
        "lavfi",
        "imf",
        "avisynth",
    }
    assert openers.isdisjoint({*VIDEO_FORMATS, *SOUND_FORMATS})


def test_only_the_file_itself_may_be_read() -> None:
    assert options(load_settings())["protocol_whitelist"] == "file"


@pytest.mark.parametrize("name", ["-i.mp4", "http://host/x", "a b%20'\".mp4", "pipe:0"])
def test_a_name_is_never_an_option_or_a_protocol(name: str) -> None:
    assert address(Path(name)) == f"file:{Path.cwd()}/{Path(name)}"


@pytest.mark.parametrize(
    "beginning",
    [b"#EXTM3U\n", b"\xef\xbb\xbf#EXTM3U", b"\r\n #EXTM3U", b"ffconcat version 1.0", b"v=0\no=-"],
)
def test_a_list_of_other_files_is_recognised(beginning: bytes) -> None:
    assert is_playlist(beginning)


def test_videos_and_texts_are_no_lists() -> None:
    assert not is_playlist(b"\0\0\0\x20ftypisom")
    assert not is_playlist(b"hello")


def test_the_beginnings_of_videos_are_known() -> None:
    assert is_media(b"\0\0\0\x20ftypisom")
    assert is_media(b"\x1a\x45\xdf\xa3\x01")
    assert not is_media(b"a text about ftyp")
    assert not is_media(b"")
