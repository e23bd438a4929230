"""Which files hold the same streams, told from their packets; ffmpeg is the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from inspector.errors import Interrupted, ToolTimeout
from inspector.matching.identity import displacement_ms
from inspector.media import probe_media, read_essence
from inspector.model import Essence, Progress
from inspector.settings import Settings, load_settings
from tests.media_clips import H264, TONE, make, pattern, turn

SETTINGS: Final = load_settings()


def essence_of(path: Path, settings: Settings = SETTINGS) -> Essence | None:
    return read_essence(path, probe_media(path, settings), settings, on_progress=lambda _: None)


def copy(source: Path, target: Path, *arguments: str) -> Path:
    """Put the streams of a file into another."""
    return make(target, "-i", str(source), "-c", "copy", *arguments)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds at 30/s with reordered frames, and a tone whose encoder leads in with 23 ms."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    codecs = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-c:a", "aac")
    return make(path, *pattern(rate="30"), *TONE, *codecs, "-t", "4")


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "flv"])
def test_another_container_holds_the_same_streams_displaced_as_a_whole(
    clip: Path, tmp_path: Path, container: str
) -> None:
    moved = displacement_ms(essence_of(clip), essence_of(copy(clip, tmp_path / f"copy.{container}")))
    assert moved == (0 if container in ("mp4", "mov") else 23)


def test_a_file_that_went_through_matroska_and_back_is_recognised(clip: Path, tmp_path: Path) -> None:
    there = copy(clip, tmp_path / "there.mkv")
    back = copy(there, tmp_path / "back.mp4")
    assert displacement_ms(essence_of(there), essence_of(back)) == 0


def test_packets_without_sound_are_those_of_another_file(clip: Path, tmp_path: Path) -> None:
    silent = copy(clip, tmp_path / "silent.mp4", "-an")
    assert displacement_ms(essence_of(clip), essence_of(silent)) is None


def test_one_different_picture_makes_another_essence(clip: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other.mp4", "-i", str(clip), *H264, "-vf", "drawbox=w=9:enable=eq(n\\,50)")
    assert (
        displacement_ms(essence_of(make(tmp_path / "a.mp4", "-i", str(clip), *H264)), essence_of(other))
        is None
    )


def test_the_same_packets_at_another_speed_are_not_the_same(clip: Path, tmp_path: Path) -> None:
    fast = make(tmp_path / "fast.mp4", "-itsscale", "0.9", "-i", str(clip), "-c", "copy")
    assert displacement_ms(essence_of(clip), essence_of(fast)) is None


def test_sound_shifted_against_the_picture_is_not_the_same(clip: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    make(
        late,
        "-i",
        str(clip),
        "-itsoffset",
        "0.05",
        "-i",
        str(clip),
        *("-map", "0:v", "-map", "1:a", "-c", "copy"),
    )
    assert displacement_ms(essence_of(clip), essence_of(late)) is None


def test_packets_that_an_edit_list_hides_make_a_difference(clip: Path, tmp_path: Path) -> None:
    trimmed = make(tmp_path / "trimmed.mp4", "-ss", "1", "-i", str(clip), "-c", "copy")
    shown = copy(trimmed, tmp_path / "shown.mkv")
    assert displacement_ms(essence_of(trimmed), essence_of(shown)) is None


def test_a_picture_that_is_to_be_turned_is_another(clip: Path, tmp_path: Path) -> None:
    turned = copy(clip, tmp_path / "turned.mp4")
    turn(turned, 90)
    assert displacement_ms(essence_of(clip), essence_of(turned)) is None


def test_nothing_is_sure_of_a_file_that_is_cut_off(clip: Path, tmp_path: Path) -> None:
    whole = copy(clip, tmp_path / "whole.mp4", "-movflags", "+faststart").read_bytes()
    cut_off = tmp_path / "cut_off.mp4"
    cut_off.write_bytes(whole[: len(whole) * 2 // 3])
    assert essence_of(cut_off) is None


def test_nothing_is_sure_of_a_file_that_declares_no_duration(clip: Path, tmp_path: Path) -> None:
    assert essence_of(copy(clip, tmp_path / "live.mkv", "-live", "1")) is None


def test_reading_keeps_to_its_deadline_and_can_be_stopped(clip: Path) -> None:
    media = probe_media(clip, SETTINGS)
    hasty = load_settings(analysis_timeout_s=0.001, analysis_timeout_factor=1e-6)
    with pytest.raises(ToolTimeout):
        read_essence(clip, media, hasty, on_progress=lambda _: None)
    with pytest.raises(Interrupted):
        read_essence(clip, media, SETTINGS, on_progress=lambda _: None, cancelled=lambda: True)


def test_progress_ends_near_the_end_and_never_beyond(clip: Path) -> None:
    seen: list[Progress] = []
    read_essence(clip, probe_media(clip, SETTINGS), SETTINGS, on_progress=seen.append)
    assert 0.9 < seen[-1].fraction <= 1.0
