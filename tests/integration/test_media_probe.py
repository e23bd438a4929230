"""What real files are, and why bad ones are rejected; ffprobe is the real one."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Final

import pytest

from inspector.errors import Interrupted, MediaRejected, RejectReason, ToolMissing
from inspector.media import probe_media
from inspector.model import MediaInfo
from inspector.settings import Settings, load_settings
from tests.media_clips import H264, TONE, VP8, make, pattern, turn

SETTINGS: Final = load_settings(probe_timeout_s=10)
AT_ONCE_S: Final = 5.0  # far more than it takes, far less than a reader that hangs


def reason(path: Path, settings: Settings = SETTINGS) -> RejectReason:
    """Why a file is rejected, which must not take long."""
    started = time.monotonic()
    with pytest.raises(MediaRejected) as caught:
        probe_media(path, settings)
    assert time.monotonic() - started < AT_ONCE_S
    return caught.value.reason


def probe(path: Path) -> MediaInfo:
    return probe_media(path, SETTINGS)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with sound, the index in front."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make(path, *pattern(rate="30000/1001"), *TONE, "-t", "2", *H264, "-movflags", "+faststart")


# ---------------------------------------------------------------- what a file is


def test_a_film_is_described(film: Path) -> None:
    media = probe(film)
    assert "mp4" in media.container
    assert (media.width, media.height, media.rotation_deg) == (320, 240, 0)
    assert (media.video_codec, media.video_index, media.audio_index) == ("h264", 0, 1)
    assert media.audio is not None
    assert (media.audio.codec, media.audio.sample_rate_hz, media.audio.channels) == ("aac", 44100, 1)
    assert media.duration_s == pytest.approx(2, abs=0.1)
    assert media.frame_rate == pytest.approx(30000 / 1001)
    assert not media.variable_frame_rate
    assert media.size_bytes == film.stat().st_size


@pytest.mark.parametrize("name", ["-i.mp4", "a 'b' \"c\" %20 é🎬.mp4", "pipe:0", "x.m3u8", "no_ending"])
def test_the_name_of_a_file_does_not_matter(film: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(film.read_bytes())
    assert probe(path).video_codec == "h264"


def test_a_relative_path_is_fine(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(film.parent)
    assert probe(Path(film.name)).width == 320


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "mov", "avi", "flv", "gif"])
def test_an_even_frame_rate_is_not_variable(tmp_path: Path, ending: str) -> None:
    codec = ("-c:v", "gif") if ending == "gif" else H264
    media = probe(make(tmp_path / f"film.{ending}", *pattern(rate="25"), "-t", "3", *codec))
    assert media.frame_rate == pytest.approx(25, rel=0.01)
    assert not media.variable_frame_rate


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_recognised(tmp_path: Path, ending: str) -> None:
    some = ("-vf", "select=not(mod(n\\,7))+not(mod(n\\,3))", "-fps_mode", "vfr")
    path = make(tmp_path / f"film.{ending}", *pattern(rate="60"), "-t", "4", *some, *H264)
    assert probe(path).variable_frame_rate


def test_the_start_time_is_known(tmp_path: Path) -> None:
    path = make(tmp_path / "film.ts", *pattern(), "-t", "1", *H264, "-output_ts_offset", "30")
    assert probe(path).start_time_s == pytest.approx(31.4, abs=0.2)


def test_an_unknown_duration_is_not_zero(tmp_path: Path) -> None:
    path = make(tmp_path / "live.webm", *pattern(), "-t", "1", *VP8, "-live", "1")
    assert probe(path).duration_s is None


@pytest.mark.parametrize("clockwise_deg", [0, 90, 180, 270])
def test_a_turned_picture_is_recognised(film: Path, tmp_path: Path, clockwise_deg: int) -> None:
    path = tmp_path / "turned.mp4"
    path.write_bytes(film.read_bytes())
    turn(path, clockwise_deg)
    media = probe(path)
    assert media.rotation_deg == clockwise_deg
    assert (media.width, media.height) == (320, 240)


def test_cover_art_beside_a_film_is_not_chosen(film: Path, tmp_path: Path) -> None:
    cover = make(tmp_path / "cover.png", *pattern(size="1000x1000"), "-frames:v", "1")
    both = ("-i", str(cover), "-i", str(film), "-map", "0", "-map", "1", "-c", "copy")
    path = make(tmp_path / "film.mp4", *both, "-disposition:v:0", "attached_pic")
    assert probe(path).width == 320


def test_of_several_pictures_the_default_one_is_chosen_and_then_the_largest(tmp_path: Path) -> None:
    two = (*pattern(size="160x120"), *pattern(size="320x240"), "-map", "0", "-map", "1", "-t", "1", *H264)
    by_size = make(tmp_path / "size.mkv", *two, "-disposition:v:0", "0", "-disposition:v:1", "0")
    by_default = make(tmp_path / "default.mkv", *two, "-disposition:v:0", "default", "-disposition:v:1", "0")
    assert probe(by_size).width == 320
    assert probe(by_default).width == 160


# ---------------------------------------------------------------- why it is rejected


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.touch()
    assert reason(path) is RejectReason.EMPTY


@pytest.mark.parametrize(
    "content", [b"hello, this is text\n" * 50, b"x", os.urandom(100_000), bytes(100_000), b"%PDF-1.7\n%x"]
)
def test_what_is_no_media(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert reason(path) is RejectReason.NOT_MEDIA


def test_an_mp4_without_its_index(film: Path, tmp_path: Path) -> None:
    indexed_last = make(tmp_path / "last.mp4", "-i", str(film), "-c", "copy")
    path = tmp_path / "film.mp4"
    path.write_bytes(indexed_last.read_bytes()[: film.stat().st_size // 2])
    assert reason(path) is RejectReason.UNREADABLE


@pytest.mark.parametrize(
    "name", ["sound.m4a", "sound.mp3", "sound.wav", "sound.flac", "sound.ogg", "sound.mp4"]
)
def test_sound_alone(tmp_path: Path, name: str) -> None:
    assert reason(make(tmp_path / name, *TONE, "-t", "2")) is RejectReason.NO_VIDEO_STREAM


def test_sound_with_cover_art(tmp_path: Path) -> None:
    cover = make(tmp_path / "cover.png", *pattern(), "-frames:v", "1")
    both = (*TONE, "-i", str(cover), "-t", "2", "-map", "0", "-map", "1")
    path = make(tmp_path / "song.m4a", *both, "-c:v", "copy", "-disposition:v:0", "attached_pic")
    assert reason(path) is RejectReason.NO_VIDEO_STREAM


@pytest.mark.parametrize(
    ("name", "size", "codec"),
    [
        ("film.mp4", "16000x2300", ("-c:v", "libx264", "-preset", "ultrafast")),
        ("film.mkv", "9000x4500", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
        ("film.mp4", "9000x4500", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
        ("film.avi", "8191x4400", ("-c:v", "mpeg4")),
    ],
)
def test_a_picture_that_is_too_large(tmp_path: Path, name: str, size: str, codec: tuple[str, ...]) -> None:
    one = ("-f", "lavfi", "-i", f"color=size={size}", "-frames:v", "1")
    assert reason(make(tmp_path / name, *one, *codec)) is RejectReason.TOO_LARGE_PIXELS


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg"])
def test_a_still_picture(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name, *pattern(), "-frames:v", "1")
    assert reason(path) is RejectReason.DISALLOWED_FORMAT


def test_too_many_streams(film: Path, tmp_path: Path) -> None:
    many = [part for _ in range(5) for part in ("-map", "0:v")]
    path = make(tmp_path / "film.mkv", "-i", str(film), *many, "-c", "copy")
    assert reason(path, load_settings(max_streams=3)) is RejectReason.TOO_MANY_STREAMS
    assert reason(path, load_settings(max_streams=4)) is RejectReason.TOO_MANY_STREAMS
    assert probe_media(path, load_settings(max_streams=5)).width == 320


def test_too_long_and_too_short(film: Path, tmp_path: Path) -> None:
    assert reason(film, load_settings(max_duration_s=1)) is RejectReason.TOO_LONG
    assert reason(film, load_settings(min_duration_s=3)) is RejectReason.TOO_SHORT
    single = make(tmp_path / "single.mp4", *pattern(), "-frames:v", "1", *H264)
    assert reason(single) is RejectReason.TOO_SHORT


def test_a_duration_of_zero_is_too_short_in_any_case(tmp_path: Path) -> None:
    path = make(tmp_path / "film.mp4", *pattern(), "-frames:v", "1", *H264)
    _set_durations_to_zero(path)
    assert reason(path, load_settings(min_duration_s=0)) is RejectReason.TOO_SHORT


def test_zero_dimensions(tmp_path: Path) -> None:
    path = make(tmp_path / "film.mkv", *pattern(size="320x240"), "-t", "1", "-c:v", "msvideo1")
    data = path.read_bytes()
    for element, value in ((b"\xb0\x82", 320), (b"\xba\x81", 240)):  # PixelWidth, PixelHeight
        width = 2 if value > 255 else 1
        data = data.replace(element + value.to_bytes(width, "big"), element + bytes(width))
    data = data.replace(struct.pack("<ii", 320, 240), bytes(8))  # BITMAPINFOHEADER
    path.write_bytes(data)
    assert reason(path) is RejectReason.ZERO_DIMENSIONS


def _set_durations_to_zero(path: Path) -> None:
    """In mvhd, tkhd and mdhd (version 0) and the time table stts.  Source: ISO/IEC 14496-12, 8.2.2 ff."""
    data = bytearray(path.read_bytes())
    for box, offset in ((b"mvhd", 16), (b"tkhd", 20), (b"mdhd", 16), (b"stts", 12), (b"elst", 8)):
        where = data.find(box)
        if where >= 0:
            data[where + 4 + offset : where + 8 + offset] = bytes(4)
    path.write_bytes(data)


# ---------------------------------------------------------------- what it must never do


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.txt", "list"])
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:10,\nfile://{target}\n#EXT-X-ENDLIST\n",
        "\n#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n",
        "ffconcat version 1.0\nfile '{target}'\n",
        "file '{target}'\n",
        "[playlist]\nFile1={target}\n",
        '<?xml version="1.0"?>\n<MPD><BaseURL>{target}</BaseURL></MPD>\n',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    ],
)
def test_a_list_of_other_files_opens_none_of_them(tmp_path: Path, name: str, text: str) -> None:
    """The other file is a FIFO nobody writes to: whoever opens it hangs, and is not done at once."""
    target = tmp_path / "target.mp4"
    os.mkfifo(target)
    path = tmp_path / name
    path.write_text(text.format(target=target))
    assert reason(path) in (RejectReason.DISALLOWED_FORMAT, RejectReason.NOT_MEDIA)


def test_a_list_of_other_files_is_a_disallowed_format(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    assert reason(path) is RejectReason.DISALLOWED_FORMAT


def test_a_track_that_lies_in_another_file_is_not_followed(film: Path, tmp_path: Path) -> None:
    """QuickTime may say that a track's data lie elsewhere (`dref` with an alias): we ask for none of it."""
    path = tmp_path / "film.mp4"
    path.write_bytes(film.read_bytes().replace(b"url \0\0\0\1", b"url \0\0\0\0"))
    assert probe(path).width == 320


# ---------------------------------------------------------------- when it cannot work


def test_a_probe_nobody_wants_any_more_is_stopped(film: Path) -> None:
    with pytest.raises(Interrupted):
        probe_media(film, SETTINGS, cancelled=lambda: True)


def test_a_missing_ffprobe_is_not_the_file_s_fault(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing):
        probe(film)
