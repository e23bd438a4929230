"""What is seen and heard in real clips, to the frame; ffmpeg is the real one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from inspector.errors import (
    Interrupted,
    LeaseLost,
    MediaRejected,
    RejectReason,
    ToolFailed,
    ToolKilled,
    ToolTimeout,
)
from inspector.media import Decoded, decode_media, probe_media
from inspector.media.streams import BATCH_FRAMES
from inspector.media.tool import never
from inspector.model import SOUND_RATE_HZ, ByteArray, FloatArray, FrameBatch, MediaInfo, Progress
from inspector.settings import Preset, Settings, load_settings
from tests.media_clips import H264, TONE, VP8, cut_after, make, pattern, turn

SETTINGS: Final = load_settings()
MILLISECOND: Final = 1e-3


@dataclass(frozen=True)
class Seen:
    """All that one decoding pass handed out."""

    decoded: Decoded
    times_s: FloatArray
    luma: ByteArray
    sound: NDArray[np.int16]
    progress: list[Progress]
    batches: list[int]

    @property
    def cut_s(self) -> float:
        """The time of the first bright frame."""
        return float(self.times_s[np.argmax(self.luma.mean(axis=(1, 2)) > 128)])

    def loudness(self, start_s: float, end_s: float) -> float:
        piece = self.sound[round(start_s * SOUND_RATE_HZ) : round(end_s * SOUND_RATE_HZ)]
        return float(np.abs(piece.astype(np.float64)).mean())


def see(
    path: Path,
    *,
    media: MediaInfo | None = None,
    settings: Settings = SETTINGS,
    cancelled: Callable[[], bool] = never,
    meanwhile: Callable[[], object] = never,
) -> Seen:
    """Decode a file; `meanwhile` is called whenever frames arrive."""
    batches: list[FrameBatch] = []
    sound = [np.zeros(0, np.int16)]
    progress: list[Progress] = []

    def take(batch: FrameBatch) -> None:
        batches.append(batch)
        meanwhile()

    decoded = decode_media(
        path,
        media or probe_media(path, settings),
        settings,
        on_frames=take,
        on_sound=sound.append,
        on_progress=progress.append,
        cancelled=cancelled,
    )
    return Seen(
        decoded,
        np.concatenate([batch.times_s for batch in batches]),
        np.concatenate([batch.luma for batch in batches]),
        np.concatenate(sound),
        progress,
        [len(batch.times_s) for batch in batches],
    )


def reason(path: Path, *, media: MediaInfo | None = None, settings: Settings = SETTINGS) -> RejectReason:
    with pytest.raises(MediaRejected) as caught:
        see(path, media=media, settings=settings)
    return caught.value.reason


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds with sound, the index in front."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make(path, *pattern(size="160x120"), *TONE, "-t", "20", *H264, "-movflags", "+faststart")


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand frames: more than the pipes hold, so ffmpeg is still at work when the first arrive."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return make(path, "-f", "lavfi", "-i", "color=size=64x36:rate=250", "-t", "40", "-c:v", "mpeg4")


def signal_ffmpeg(signum: signal.Signals, parent: int | None = None) -> None:
    """To every ffmpeg below us, be it within a sandbox."""
    for listing in Path(f"/proc/{parent or os.getpid()}/task").glob("*/children"):
        for pid in map(int, listing.read_text().split()):
            if Path(f"/proc/{pid}/comm").read_text() == "ffmpeg\n":
                os.kill(pid, signum)
            else:
                signal_ffmpeg(signum, pid)


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "50", "60000/1001", "60"])
def test_every_frame_has_its_own_time(tmp_path: Path, rate: str, ending: str) -> None:
    path = make(tmp_path / f"film.{ending}", *cut_after(77, rate=rate), "-frames:v", "150", *H264)
    seen = see(path)
    frame_s = float(1 / Fraction(rate))
    assert np.abs(seen.times_s - np.arange(150) * frame_s).max() < MILLISECOND
    assert seen.cut_s == pytest.approx(77 * frame_s, abs=MILLISECOND)
    assert seen.decoded.duration_s == pytest.approx(150 * frame_s, abs=2 * MILLISECOND)
    assert seen.decoded.frames == 150
    assert not seen.decoded.truncated


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "webm"])
def test_frames_of_a_variable_rate_keep_their_times(tmp_path: Path, ending: str) -> None:
    kept = [n for n in range(240) if n % 7 == 0 or n % 3 == 0]
    some = ("-vf", "select=not(mod(n\\,7))+not(mod(n\\,3))", "-fps_mode", "vfr")
    codec = VP8 if ending == "webm" else H264
    path = make(tmp_path / f"film.{ending}", *pattern(rate="60"), "-t", "4", *some, *codec)
    times_s = see(path).times_s
    assert len(times_s) == len(kept)
    assert np.abs(times_s - np.array(kept) / 60).max() < MILLISECOND


@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4"])
def test_times_count_from_the_container_s_start(tmp_path: Path, ending: str) -> None:
    later = ("-output_ts_offset", "30")
    path = make(tmp_path / f"film.{ending}", *cut_after(30, rate="25"), "-t", "2", *H264, *later)
    assert see(path).cut_s == pytest.approx(30 / 25, abs=MILLISECOND)


def test_pictures_that_start_after_the_sound_keep_their_distance(tmp_path: Path) -> None:
    late = ("-itsoffset", "1.5", *cut_after(25, rate="25"), *TONE, "-map", "0", "-map", "1", "-t", "4", *H264)
    seen = see(make(tmp_path / "film.mkv", *late))
    assert seen.times_s[0] == pytest.approx(1.5, abs=0.03)
    assert seen.cut_s == pytest.approx(2.5, abs=0.03)
    assert seen.loudness(0.1, 1.4) > 100


def test_frames_in_decoding_order_are_handed_out_in_the_order_of_presentation(tmp_path: Path) -> None:
    reordering = ("-c:v", "libx264", "-bf", "3", "-b_strategy", "0", "-pix_fmt", "yuv420p")
    seen = see(make(tmp_path / "film.mp4", *cut_after(31, rate="25"), "-t", "3", *reordering))
    assert (np.diff(seen.times_s) > 0).all()
    assert seen.cut_s == pytest.approx(31 / 25, abs=MILLISECOND)


def test_slides_last_until_the_declared_end(tmp_path: Path) -> None:
    slides = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=1/4", "-t", "12", *H264)
    seen = see(make(tmp_path / "slides.mp4", *slides, "-fps_mode", "vfr"))
    assert seen.times_s.tolist() == pytest.approx([0, 4, 8])
    assert seen.decoded.duration_s == pytest.approx(12, abs=0.1)


def test_a_live_recording_has_no_duration_but_an_end(tmp_path: Path) -> None:
    path = make(tmp_path / "live.webm", *pattern(size="160x120"), "-t", "3", *VP8, "-live", "1")
    seen = see(path)
    assert seen.decoded.duration_s == pytest.approx(3, abs=0.01)
    assert not seen.decoded.truncated
    assert all(step.eta_s is None and step.fraction == 0 for step in seen.progress[:-1])
    assert seen.progress[-1].fraction == 1


# ---------------------------------------------------------------- pictures


def test_frames_are_small_and_gray(film: Path) -> None:
    seen = see(film)
    assert seen.luma.shape == (500, 36, 64)
    assert seen.luma.dtype == np.uint8
    assert seen.luma.std() > 10


@pytest.mark.parametrize("clockwise_deg", [0, 90, 180, 270])
def test_pictures_are_seen_upright(film: Path, tmp_path: Path, clockwise_deg: int) -> None:
    path = tmp_path / "turned.mp4"
    path.write_bytes(film.read_bytes())
    turn(path, clockwise_deg)
    small = ("-vf", "scale=64:36:flags=area,format=gray", "-frames:v", "1", "-f", "rawvideo", "-")
    command = ["ffmpeg", "-v", "error", "-i", str(path), *small]
    shown = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    upright = np.frombuffer(shown, np.uint8).reshape(36, 64).astype(float)
    assert np.abs(see(path).luma[0] - upright).mean() < 2


def test_a_picture_whose_size_changes_goes_on(tmp_path: Path) -> None:
    small = make(tmp_path / "a.ts", *pattern(size="160x120"), "-t", "2", *H264)
    large = make(tmp_path / "b.ts", *pattern(size="320x240"), "-t", "2", *H264, "-output_ts_offset", "2")
    path = tmp_path / "film.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    seen = see(path)
    assert seen.times_s[-1] == pytest.approx(3.96, abs=0.05)
    assert len(seen.times_s) == pytest.approx(100, abs=2)


def test_the_memory_used_does_not_grow_with_the_length(long_film: Path) -> None:
    seen = see(long_film)
    assert seen.decoded.frames == 10_000
    assert max(seen.batches) < 8 * BATCH_FRAMES


# ---------------------------------------------------------------- sound


def test_sound_is_mono_and_as_long_as_it_was(film: Path) -> None:
    seen = see(film)
    assert seen.sound.dtype == np.int16
    assert len(seen.sound) / SOUND_RATE_HZ == pytest.approx(20, abs=0.1)
    assert seen.decoded.sound_s == pytest.approx(len(seen.sound) / SOUND_RATE_HZ)
    spectrum = np.abs(np.fft.rfft(seen.sound[:SOUND_RATE_HZ]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)


def test_a_film_without_sound_is_fine(tmp_path: Path) -> None:
    seen = see(make(tmp_path / "silent.mp4", *pattern(), "-t", "1", *H264))
    assert (len(seen.sound), seen.decoded.frames) == (0, 25)


def test_sound_that_starts_late_is_in_its_place(tmp_path: Path) -> None:
    late = (*pattern(), "-itsoffset", "2", *TONE, "-map", "0", "-map", "1", "-t", "4", *H264)
    seen = see(make(tmp_path / "film.mkv", *late))
    assert seen.loudness(0, 1.9) == 0
    assert seen.loudness(2.1, 3.9) > 100


def test_what_follows_a_gap_in_the_sound_is_in_its_place(tmp_path: Path) -> None:
    gap = ("-af", "aselect=not(between(t\\,2\\,4))", *H264)
    seen = see(make(tmp_path / "film.mkv", *pattern(), *TONE, "-t", "6", *gap))
    assert seen.loudness(0.1, 1.8) > 100
    assert seen.loudness(2.2, 3.8) == 0
    assert seen.loudness(4.2, 5.8) > 100
    assert seen.decoded.sound_s == pytest.approx(6, abs=0.1)


def test_sound_whose_channels_change_stays_in_its_place(tmp_path: Path) -> None:
    stereo = make(tmp_path / "a.ts", *pattern(), *TONE, "-t", "3", *H264, "-c:a", "aac", "-ac", "2")
    mono = ("-t", "3", *H264, "-c:a", "aac", "-ac", "1", "-ar", "48000", "-output_ts_offset", "3")
    path = tmp_path / "film.ts"
    path.write_bytes(stereo.read_bytes() + make(tmp_path / "b.ts", *pattern(), *TONE, *mono).read_bytes())
    assert see(path).decoded.sound_s == pytest.approx(6, abs=0.2)


def test_sound_that_has_no_decoder_does_not_spoil_the_pictures(tmp_path: Path) -> None:
    path = make(tmp_path / "film.mkv", *pattern(), *TONE, "-t", "2", *H264, "-c:a", "libopus")
    path.write_bytes(path.read_bytes().replace(b"A_OPUS", b"A_NONE"))
    seen = see(path)
    assert (seen.decoded.frames, len(seen.sound)) == (50, 0)


def test_sound_that_cannot_be_decoded_does_not_spoil_the_pictures(tmp_path: Path) -> None:
    noise = ("-bsf:a", "noise=amount=1", "-c:a", "aac")
    path = make(tmp_path / "film.mkv", *pattern(), *TONE, "-t", "2", *H264, *noise)
    assert see(path).decoded.frames == 50


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_truncated_file_is_decoded_as_far_as_it_goes(film: Path, tmp_path: Path, ending: str) -> None:
    whole = make(tmp_path / f"whole.{ending}", "-i", str(film), "-c", "copy", "-movflags", "+faststart")
    path = tmp_path / f"half.{ending}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    seen = see(path, media=probe_media(whole, SETTINGS))
    assert seen.decoded.truncated
    assert 7 < seen.decoded.duration_s < 13
    assert seen.times_s[-1] < seen.decoded.duration_s


def test_damage_in_the_middle_costs_no_more_than_the_middle(film: Path, tmp_path: Path) -> None:
    data = bytearray(film.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = os.urandom(2000)
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    seen = see(path)
    assert not seen.decoded.truncated
    assert seen.decoded.duration_s == pytest.approx(20, abs=0.1)


def test_a_file_in_which_nothing_can_be_decoded_is_unreadable(film: Path, tmp_path: Path) -> None:
    data = film.read_bytes()
    start = data.index(b"mdat") + 4
    path = tmp_path / "film.mp4"
    path.write_bytes(data[:start] + bytes(len(data) - start))
    assert reason(path, media=probe_media(film, SETTINGS)) is RejectReason.UNREADABLE


def test_what_is_decoded_must_be_long_enough(film: Path, tmp_path: Path) -> None:
    single = make(tmp_path / "single.mp4", *pattern(), "-frames:v", "1", *H264)
    assert (
        reason(single, media=probe_media(single, load_settings(min_duration_s=0))) is RejectReason.TOO_SHORT
    )
    assert reason(film, settings=load_settings(min_duration_s=30)) is RejectReason.TOO_SHORT


def test_a_live_recording_may_not_last_for_ever(tmp_path: Path) -> None:
    path = make(tmp_path / "live.webm", *pattern(size="160x120"), "-t", "3", *VP8, "-live", "1")
    assert reason(path, settings=load_settings(max_duration_s=2)) is RejectReason.TOO_LONG


def test_a_sound_format_cannot_slip_through(tmp_path: Path, film: Path) -> None:
    """Decoding allows fewer formats than probing, and looks for itself."""
    path = make(tmp_path / "film.mp4", *TONE, "-t", "1", "-f", "mp3")
    assert reason(path, media=probe_media(film, SETTINGS)) is RejectReason.UNREADABLE


# ---------------------------------------------------------------- progress and ends


def test_progress_grows_from_presentation_times(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.media.decode.PROGRESS_PACE_S", 0.0)
    progress = see(film).progress
    fractions = [step.fraction for step in progress]
    assert fractions == sorted(fractions)
    assert len({f for f in fractions if 0 < f < 1}) > 1
    assert progress[-1] == Progress(1.0, 0.0)
    assert all(step.eta_s is not None and step.eta_s >= 0 for step in progress if step.fraction > 0)


def test_progress_is_reported_now_and_then_only(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.media.decode.PROGRESS_PACE_S", 3600.0)
    assert see(film).progress == [Progress(1.0, 0.0)]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_an_ffmpeg_that_was_shot_is_no_fault_of_the_video(long_film: Path, signum: signal.Signals) -> None:
    with pytest.raises(ToolKilled) as caught:
        see(long_film, meanwhile=lambda: signal_ffmpeg(signum))
    assert caught.value.retry


def test_a_pass_nobody_wants_any_more_is_stopped(film: Path) -> None:
    def lose() -> bool:
        raise LeaseLost

    with pytest.raises(Interrupted):
        see(film, media=probe_media(film, SETTINGS), cancelled=lambda: True)
    with pytest.raises(LeaseLost):
        see(film, media=probe_media(film, SETTINGS), cancelled=lose)


def test_a_pass_that_takes_too_long_is_a_timeout(film: Path) -> None:
    hurried = load_settings(analysis_timeout_s=0.01, analysis_timeout_factor=1e-6)
    with pytest.raises(ToolTimeout):
        see(film, settings=hurried)


def test_an_ffmpeg_without_memory_is_no_fault_of_the_video(film: Path) -> None:
    media = probe_media(film, SETTINGS)
    with pytest.raises(ToolFailed):
        see(film, media=media, settings=load_settings(tool_memory_bytes=64 * 2**20))


def test_what_a_sink_raises_comes_through(film: Path) -> None:
    def refuse() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        see(film, meanwhile=refuse)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_the_fast_preset_leaves_out_frames_but_moves_none(tmp_path: Path, codec: str) -> None:
    reordered = {"libx265": ("-x265-params", "bframes=3:log-level=none")}.get(codec, ("-bf", "2"))
    clip = make(tmp_path / "clip.mkv", *pattern(), "-c:v", codec, *reordered, "-t", "4")
    whole = see(clip)
    quick = see(clip, settings=load_settings(preset="fast"))
    assert 0.25 < len(quick.times_s) / len(whole.times_s) < 0.75
    where = np.searchsorted(whole.times_s, quick.times_s - MILLISECOND)
    assert np.abs(whole.times_s[where] - quick.times_s).max() < MILLISECOND
    assert np.median(np.abs(whole.luma[where].astype(int) - quick.luma)) <= 3
    assert quick.decoded.duration_s == pytest.approx(whole.decoded.duration_s, abs=0.1)


def test_the_fast_preset_finds_a_cut_at_the_same_frame(tmp_path: Path) -> None:
    clip = make(tmp_path / "clip.mp4", *cut_after(37, rate="25"), "-c:v", "libx264", "-bf", "3", "-t", "3")
    assert see(clip, settings=load_settings(preset="fast")).cut_s == pytest.approx(37 / 25, abs=MILLISECOND)


@pytest.mark.parametrize(
    ("preset", "duration_s", "chosen"),
    [
        ("accurate", 9e4, Preset.ACCURATE),
        ("fast", 1.0, Preset.FAST),
        ("auto", 7200.0, Preset.ACCURATE),
        ("auto", 7201.0, Preset.FAST),
        ("auto", None, Preset.FAST),
    ],
)
def test_the_preset_is_that_of_the_settings_or_by_the_length(
    preset: str, duration_s: float | None, chosen: Preset
) -> None:
    assert load_settings(preset=preset).preset_for(duration_s) is chosen
