"""The recorder against real stations: a playlist, a pushed stream; its ffmpeg is killed again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspector.errors import DatabaseUnavailable
from inspector.model import RecordedSegment, Recording, RecordingGap, RecordingState
from inspector.store import Database, recordings
from inspector.worker.recording import recorder as recorder_module
from inspector.worker.recording.recorder import Plan, Progress, Recorder
from inspector.worker.recording.tape import SMOOTH_S
from tests.broadcast import again_and_again, children, kill, on_hls, relayed, shown, station
from tests.film import make
from tests.services import Endpoint, Places, free_port, places_at

RATE = 25
#: `make soak` asks for ten minutes in real time, with a kill every 20 s.
LENGTH_S = int(os.environ.get("RECORDING_S", "24"))
LONG = LENGTH_S > 60
PACE, KILL_EVERY_S, SEGMENT_S = (1, 20.0, 30.0) if LONG else (6, 1.5, 2.0)
#: A recording may become so long; then the next one begins.
LONGEST_S = LENGTH_S * 0.4


def half(path: Path, *, size: str = "160x90", sound_hz: int = 44100, from_s: int = 0) -> Path:
    """Half of the film: picture and sound, and a key frame every second."""
    return make(
        path,
        *("-f", "lavfi", "-i", f"testsrc2=s={size}:r={RATE}", "-f", "lavfi", "-i", f"sine=r={sound_hz}"),
        *("-t", str(LENGTH_S // 2), "-output_ts_offset", str(from_s)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", str(RATE), "-c:a", "aac", "-muxdelay", "0"),
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of one size."""
    return half(tmp_path_factory.mktemp("reel") / "plain.mp4")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that becomes larger in its middle, and its sound finer."""
    folder = tmp_path_factory.mktemp("reel")
    small = half(folder / "small.ts")
    large = half(folder / "large.ts", size="320x180", sound_hz=48000, from_s=LENGTH_S // 2)
    film = folder / "film.ts"
    film.write_bytes(small.read_bytes() + large.read_bytes())
    return film


@dataclass
class Studio:
    """A recorder, and what it has made."""

    places: Places
    db: Database
    folder: Path
    kills: int = 0

    def record(
        self,
        url: str,
        *,
        until: Callable[[Progress], bool],
        every_s: float | None = None,
        meanwhile: Callable[[Progress], object] = lambda progress: None,
        **plan: Any,
    ) -> list[Recording]:
        """Record until this is so; every_s: kill its ffmpeg so often."""
        stop = threading.Event()
        mine = os.getpid()
        others = set(children(mine, "ffmpeg"))

        def show(progress: Progress) -> None:
            meanwhile(progress)
            if until(progress):
                stop.set()

        def strike() -> None:
            while not stop.wait(every_s):
                self.kills += kill([pid for pid in children(mine, "ffmpeg") if pid not in others])

        recorder = Recorder(
            self.db, self.places.bucket, self.places.settings,
            Plan(url, "news", **{"segment_s": SEGMENT_S, "stall_s": 5.0, **plan}),
            stopped=stop.is_set, wait=stop.wait, on_progress=show,
        )  # fmt: skip
        killer = threading.Thread(target=strike)
        if every_s:
            killer.start()
        try:
            made = recorder.run()
        finally:
            stop.set()
            if every_s:
                killer.join()
        with self.db.begin() as tx:
            self.segments = [segment for number in made for segment in recordings.segments(tx, number)]
            self.gaps = [gap for number in made for gap in recordings.gaps(tx, number)]
            found = [recordings.find(tx, self.places.bucket.name, number) for number in made]
        return [recording for recording in found if recording is not None]

    segments: list[RecordedSegment] = field(default_factory=list)
    gaps: list[RecordingGap] = field(default_factory=list)

    def files(self, made: Recording) -> Iterator[Path]:
        """The pieces of a recording."""
        for segment in self.segments:
            if f"/{made.id}/" in segment.key:
                path = self.folder / segment.key.replace("/", "-")
                path.write_bytes(self.places.bucket.read(segment.key, 0, segment.size_bytes) or b"")
                yield path

    def times(self, made: Recording, kind: str) -> np.ndarray:
        """When the packets of the recording are shown, seconds of stream time, ascending."""
        joined = self.folder / "joined.ts"
        joined.write_bytes(b"".join(path.read_bytes() for path in self.files(made)))
        return packet_times(joined, kind) - 1.0


def packet_times(path: Path, kind: str) -> np.ndarray:
    """kind: v or a. Seconds, ascending."""
    fields = ("-select_streams", kind, "-show_entries", "packet=pts_time", "-of", "csv=p=0")
    done = subprocess.run(
        ["ffprobe", "-v", "error", *fields, path], check=True, capture_output=True, text=True
    )
    return np.sort([float(line.strip(",")) for line in done.stdout.split()])


@pytest.fixture
def studio(ministack: Endpoint, database: Database, tmp_path: Path) -> Iterator[Studio]:
    places = places_at(ministack, tmp_path, scratch_reserve_bytes=0)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    (tmp_path / "hls").mkdir()
    yield Studio(places, database, tmp_path)
    assert list(places.settings.scratch.glob("recording-*")) == []
    assert children(os.getpid(), "ffmpeg") == []


def test_a_playlist_is_recorded_without_a_frame_lost_however_often_ffmpeg_is_killed(
    studio: Studio, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The station shows its film once: the recordings are the film, picture by picture, sound by sound.

    Meanwhile recordings become too long, and others begin, for the first of which the database is away at
    first; and the film changes its size and sound.
    """
    begin, begun_at = recordings.begin, list[float]()

    def begin_late(*arguments: Any) -> int:
        begun_at.append(time.monotonic())
        if len(begun_at) == 2:
            raise DatabaseUnavailable("it is away")
        return begin(*arguments)

    monkeypatch.setattr(recordings, "begin", begin_late)
    monkeypatch.setattr(recorder_module, "_AGAIN_S", 0.0)
    with on_hls(studio.folder / "hls", film, pace=PACE, times=1) as url:
        made = studio.record(url, until=lambda p: False, every_s=KILL_EVERY_S, longest_s=LONGEST_S)
    assert studio.kills >= LENGTH_S / PACE / KILL_EVERY_S / 2
    assert sum(each.restarts for each in made) == studio.kills
    assert [(each.state, each.gaps) for each in made] == [(RecordingState.ENDED, 0)] * 3
    assert [each.duration_s for each in made[:2]] == pytest.approx([LONGEST_S] * 2, abs=2.1)
    assert len(begun_at) == 4
    assert len(studio.segments) >= LENGTH_S / SEGMENT_S / 2
    assert all(segment.uploaded_at for segment in studio.segments)
    begun = [sum(each.duration_s for each in made[:n]) for n in range(3)]
    for kind in ("v", "a"):
        parts = [studio.times(each, kind) + at for each, at in zip(made, begun, strict=True)]
        recorded, broadcast = np.sort(np.concatenate(parts)), packet_times(film, kind)
        assert len(recorded) == len(broadcast)
        # Where the sample rate changes, ffmpeg's copy evens the sound's times out, by the rate it began with.
        finer = (broadcast >= broadcast[0] + LENGTH_S // 2 - 0.1) & (kind == "a")
        off = np.abs((recorded - recorded[0]) - (broadcast - broadcast[0]))
        assert off[~finer].max() < 2e-3
        assert off[finer].max(initial=0) < 0.1
    assert sum(segment.frames for segment in studio.segments) == LENGTH_S * RATE
    assert begun[-1] + made[-1].duration_s == pytest.approx(LENGTH_S, abs=0.1)
    kinds = [kinds_of(path) for each in made for path in studio.files(each)]
    assert kinds[0] == {("160", "90"), ("44100",)}
    assert kinds[-1] == {("320", "180"), ("48000",)}
    assert all(len(kind & {("160", "90"), ("320", "180")}) == 1 for kind in kinds)


def kinds_of(path: Path) -> set[tuple[str, ...]]:
    """Width, height and sample rate of what a piece holds. It decodes without a complaint."""
    fields = ("-show_entries", "frame=width,height:stream=sample_rate", "-of", "csv=p=0")
    done = subprocess.run(
        ["ffprobe", "-v", "error", *fields, path], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return {tuple(line.strip(",").split(",")) for line in done.stdout.split() if line.strip(",")}


def test_a_pushed_stream_tells_what_is_missing_and_why(
    studio: Studio, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffmpeg is killed; the network falls silent; the disk is full. The source goes on all the while."""
    free = [1e12]
    monkeypatch.setattr(recorder_module, "free_bytes", lambda folder: free[0])
    mine, acts = os.getpid(), ["disk_full", "source_stalled", "recorder_killed"]
    others = set(children(mine, "ffmpeg"))

    def act(now: Progress) -> None:
        if now.trouble:
            relay.muted, free[0] = False, 1e12
        elif acts and now.stream_s > 14 - 4 * len(acts) and now.gaps == 3 - len(acts):
            doing = acts.pop()
            kill(
                [pid for pid in children(mine, "ffmpeg") if pid not in others and doing == "recorder_killed"]
            )
            relay.muted, free[0] = doing == "source_stalled", -1.0 if doing == "disk_full" else 1e12

    with relayed() as relay, station(*shown(plain, pace=2), "-f", "mpegts", relay.entrance):
        others |= set(children(mine, "ffmpeg"))
        (made,) = studio.record(
            relay.exit, until=lambda p: p.gaps == 3 and not p.trouble, meanwhile=act, stall_s=3
        )
    assert [gap.reason for gap in studio.gaps] == ["recorder_killed", "source_stalled", "disk_full"]
    lengths = [gap.end_s - gap.start_s for gap in studio.gaps]
    assert lengths[1] >= 2 * 3
    assert max(lengths) < 2 * 7
    times = studio.times(made, "v")
    (jumps,) = np.nonzero(np.diff(times) > SMOOTH_S)  # where its loop begins anew the film misses a frame
    found = [(times[i] + 1 / RATE, times[i + 1]) for i in jumps]
    told = [(gap.start_s, gap.end_s) for gap in studio.gaps]
    assert np.allclose(found, told, atol=0.3), (found, told)


@pytest.mark.parametrize(
    ("address", "form", "signum"),
    [
        ("rtmp://127.0.0.1:{port}/live/key", ("-f", "flv", "-listen", "1"), signal.SIGKILL),
        # Of a guest who just is no more SRT hears after five seconds.
        ("srt://127.0.0.1:{port}", ("-f", "mpegts", "-mode", "listener"), signal.SIGTERM),
    ],
)
def test_servers_that_push_are_recorded_and_asked_again(
    studio: Studio, plain: Path, address: str, form: tuple[str, ...], signum: signal.Signals
) -> None:
    """ffmpeg as a server serves one guest, and ends with it; the next one begins its film anew, later."""
    url = address.format(port=free_port())
    mine, others, struck = os.getpid(), set[int](), list[int]()

    def strike(now: Progress) -> None:
        if now.stream_s > 2 and not struck:
            struck.append(kill([pid for pid in children(mine, "ffmpeg") if pid not in others], signum))

    with again_and_again(others, 2, *shown(plain, pace=2), *form, url):
        (made,) = studio.record(
            url,
            until=lambda p: bool(struck) and not p.trouble and p.gaps > 0 and p.stream_s > 5,
            meanwhile=strike,
        )
    gap = studio.gaps[0]
    assert gap.reason == "recorder_killed"
    assert made.restarts >= 1
    assert studio.times(made, "v")[-1] > gap.end_s
    assert all(kinds_of(path) == {("160", "90"), ("44100",)} for path in studio.files(made))
