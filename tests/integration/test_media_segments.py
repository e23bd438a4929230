"""A long video in segments is the same video: the same frames at the same times, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from inspector.fingerprint.sound import HOP, SoundHasher
from inspector.media import Decoded, Place, decode_media, probe_media
from inspector.model import ByteArray, FloatArray, FrameBatch, Progress
from inspector.settings import Preset, load_settings
from tests.media_clips import VP8, make

SEGMENT_S: Final = 4.0
LENGTH_S: Final = 13
PICTURES: Final = ("-f", "lavfi", "-i", f"testsrc2=size=128x72:rate=25:duration={LENGTH_S}")
NOISE: Final = (
    "-f",
    "lavfi",
    "-i",
    f"anoisesrc=color=pink:seed=1:r=44100:d={LENGTH_S},tremolo=f=1.5:d=0.9",
)
INPUTS: Final = (*PICTURES, *NOISE)
H264: Final = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "30", "-pix_fmt", "yuv420p")
AAC: Final = ("-c:a", "aac")


class Stopped(Exception):
    """The test ends a decoding here."""


@dataclass
class Seen:
    """What a decoding handed out, and the places it passed."""

    times_s: FloatArray
    luma: ByteArray
    sound: NDArray[np.int16]
    places: list[Place]
    decoded: Decoded | None
    progress: list[Progress]


def see(
    path: Path, segment_s: float = SEGMENT_S, *, place: Place | None = None, stop_after: int | None = None
) -> Seen:
    """Decode a file, from a place on if one is given; up to and with some border."""
    settings = load_settings(segment_s=segment_s, preset=Preset.ACCURATE)
    media = probe_media(path, settings)
    batches: list[FrameBatch] = []
    sound = [np.zeros(0, np.int16)]
    places: list[Place] = []
    progress: list[Progress] = []

    def pass_place(place: Place, done: float) -> None:
        places.append(place)
        if place.borders == stop_after:
            raise Stopped

    decoded = None
    try:
        decoded = decode_media(
            path,
            media,
            settings,
            on_frames=batches.append,
            on_sound=sound.append,
            on_progress=progress.append,
            place=place,
            on_place=pass_place,
        )
    except Stopped:
        assert stop_after is not None
    times = np.concatenate([np.zeros(0), *(batch.times_s for batch in batches)])
    luma = np.concatenate([np.zeros((0, 36, 64), np.uint8), *(batch.luma for batch in batches)])
    return Seen(times, luma, np.concatenate(sound), places, decoded, progress)


def differing_sounds(one: Seen, other: Seen) -> float:
    """Share of the bits in which the sub-fingerprints differ, where they say something."""
    hashes = []
    for seen in (one, other):
        hasher = SoundHasher()
        hasher.add(seen.sound)
        hashes.append(hasher.finish())
    count = min(len(hashes[0][1]), len(hashes[1][1]))
    assert abs(len(hashes[0][1]) - len(hashes[1][1])) <= 1
    says = hashes[0][2][:count] > 0
    return float(np.bitwise_count((hashes[0][1][:count] ^ hashes[1][1][:count])[says]).mean() / 32)


def without_index(path: Path) -> Path:
    return make(path, "-i", str(with_b_frames(path.with_suffix(".mp4"))), "-c", "copy", "-live", "1")


def with_b_frames(path: Path) -> Path:
    return make(path, *INPUTS, *H264, *AAC)


def with_edit_list(path: Path) -> Path:
    whole = with_b_frames(path.with_name("whole.mp4"))
    return make(path, "-ss", "1.3", "-i", str(whole), "-c", "copy")


def starting_late(path: Path) -> Path:
    return make(path, *INPUTS, *H264, *AAC, "-output_ts_offset", "1000")


def jumping(path: Path) -> Path:
    early, late = with_b_frames(path.with_name("early.ts")), starting_late(path.with_name("late.ts"))
    path.write_bytes(early.read_bytes() + late.read_bytes())
    return path


def one_key_frame(path: Path) -> Path:
    return make(path, *INPUTS, *H264, "-g", "1000", "-sc_threshold", "0", *AAC)


def silent(path: Path) -> Path:
    return make(path, *PICTURES, *H264)


#: File name → how it is made, whether seeking in it can be trusted.
FILES: Final[dict[str, tuple[Callable[[Path], Path], bool]]] = {
    "b_frames.mp4": (with_b_frames, True),
    "b_frames.mkv": (with_b_frames, True),
    "b_frames.ts": (with_b_frames, True),
    "b_frames.flv": (with_b_frames, True),
    "edit_list.mp4": (with_edit_list, True),
    "late.ts": (starting_late, True),
    "open.webm": (lambda p: make(p, *INPUTS, *VP8, "-g", "25", "-c:a", "libopus"), True),
    "packed.avi": (
        lambda p: make(p, *INPUTS, "-r", "30000/1001", "-c:v", "mpeg4", "-bf", "2", "-g", "25"),
        True,
    ),
    "silent.mp4": (silent, True),
    "unindexed.mkv": (without_index, False),
    "jumping.ts": (jumping, False),
    "one_key_frame.mp4": (one_key_frame, False),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("segments")


@pytest.mark.parametrize("name", FILES)
def test_segments_hold_the_frames_and_the_sound_of_one_straight_pass(folder: Path, name: str) -> None:
    create, seekable = FILES[name]
    path = create(folder / name)
    straight, segments = see(path, 1e6), see(path)
    assert straight.places == []
    assert len(segments.places) == int(straight.times_s[-1] // SEGMENT_S)
    assert segments.places[-1].seeking is seekable
    assert np.array_equal(segments.times_s, straight.times_s)
    assert np.abs(segments.luma.astype(int) - straight.luma).max() <= 1
    assert straight.decoded is not None
    assert segments.decoded is not None
    assert segments.decoded.duration_s == pytest.approx(straight.decoded.duration_s, abs=0.03)
    assert segments.decoded.truncated == straight.decoded.truncated
    if len(straight.sound):
        assert differing_sounds(straight, segments) < 0.05


@pytest.mark.parametrize("name", ["b_frames.mp4", "unindexed.mkv", "one_key_frame.mp4"])
def test_going_on_from_any_place_gives_the_rest_to_the_last_bit(folder: Path, name: str) -> None:
    path = folder / f"again_{name}"
    FILES[name][0](path)
    whole = see(path)
    for place in whole.places[::2]:
        before, after = see(path, stop_after=place.borders), see(path, place=place)
        assert np.array_equal(np.concatenate((before.times_s, after.times_s)), whole.times_s)
        assert np.array_equal(np.concatenate((before.luma, after.luma)), whole.luma)
        assert np.array_equal(np.concatenate((before.sound, after.sound)), whole.sound)
        assert after.decoded == whole.decoded
        if place.seeking:
            assert min(p.fraction for p in after.progress) >= place.last_s / LENGTH_S - 0.01


def test_sound_that_ends_early_is_waited_for_and_then_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.media.segments.PATIENCE_S", 3.0)
    monkeypatch.setattr("inspector.media.tool.PIPE_BYTES", 2**16)  # no more than a second of pictures
    path = make(folder / "sound_ends_early.mp4", *PICTURES, "-t", "5", *NOISE, *H264, *AAC)
    straight, whole = see(path, 1e6), see(path)
    assert [place.seeking for place in whole.places] == [True, False]
    assert np.array_equal(whole.times_s, straight.times_s)
    assert len(whole.sound) == pytest.approx(len(straight.sound), abs=1)
    for place in whole.places:
        assert np.array_equal(see(path, place=place).times_s, whole.times_s[place.frames :])
        assert np.array_equal(see(path, place=place).sound, whole.sound[place.samples :])


def test_a_place_says_what_was_handed_on_before_it(folder: Path) -> None:
    path = with_b_frames(folder / "place.mp4")
    seen = see(path, stop_after=2)
    place = seen.places[-1]
    assert (place.borders, place.frames, place.last_s) == (2, len(seen.times_s), seen.times_s[-1])
    assert place.last_s < 2 * SEGMENT_S
    assert place.samples == len(seen.sound) == round(2 * SEGMENT_S * 11025)
    assert len(seen.sound) // HOP > 0


def test_a_file_that_ends_long_before_it_says_is_truncated_in_segments_too(folder: Path) -> None:
    path = make(folder / "cut.mkv", *INPUTS, *H264, *AAC)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    straight, segments = see(path, 1e6), see(path)
    assert straight.decoded is not None
    assert segments.decoded is not None
    assert straight.decoded.truncated
    assert segments.decoded.truncated
    assert np.array_equal(segments.times_s, straight.times_s)
