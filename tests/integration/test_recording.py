"""The recorder against real stations: a playlist, a pushed stream; its ffmpeg is killed again and again."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from inspector.model import RecordedSegment, Recording, RecordingGap, RecordingState
from inspector.store import Database, recordings
from inspector.worker.recording.recorder import Plan, Progress, Recorder
from tests.broadcast import children, kill, on_hls, shown, station
from tests.film import make
from tests.services import Endpoint, Places, free_port, places_at

RATE = 25
#: `make soak` asks for ten minutes in real time, with a kill every 20 s.
LENGTH_S = int(os.environ.get("RECORDING_S", "48"))
LONG = LENGTH_S > 60
PACE, KILL_EVERY_S, SEGMENT_S = (1, 20.0, 30.0) if LONG else (4, 1.5, 2.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Picture and sound, and a key frame every second."""
    path = tmp_path_factory.mktemp("reel") / "reel.mp4"
    return make(
        path,
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25", "-f", "lavfi", "-i", "sine", "-t", str(LENGTH_S)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac"),
    )


@dataclass
class Studio:
    """A recorder, and what it has made."""

    places: Places
    db: Database
    folder: Path
    kills: int = 0
    progress: list[Progress] = field(default_factory=list)

    def record(
        self,
        url: str,
        *,
        until: Callable[[Progress], bool],
        every_s: float | None = None,
        segment_s: float = SEGMENT_S,
        stall_s: float = 5.0,
        give_up_s: float | None = None,
        meanwhile: Callable[[Progress], object] = lambda progress: None,
    ) -> Recording:
        """Record until this is so; every_s: kill its ffmpeg so often."""
        stop = threading.Event()
        mine = os.getpid()
        others = set(children(mine, "ffmpeg"))

        def show(progress: Progress) -> None:
            self.progress.append(progress)
            meanwhile(progress)
            if until(progress):
                stop.set()

        def strike() -> None:
            while not stop.wait(every_s):
                self.kills += kill([pid for pid in children(mine, "ffmpeg") if pid not in others])

        plan = Plan(url, "news", segment_s=segment_s, stall_s=stall_s, give_up_s=give_up_s)
        recorder = Recorder(
            self.db, self.places.bucket, self.places.settings, plan,
            stopped=stop.is_set, wait=stop.wait, on_progress=show,
        )  # fmt: skip
        killer = threading.Thread(target=strike)
        if every_s:
            killer.start()
        try:
            (recording_id,) = recorder.run()
        finally:
            stop.set()
            if every_s:
                killer.join()
        with self.db.begin() as tx:
            self.segments = recordings.segments(tx, recording_id)
            self.gaps = recordings.gaps(tx, recording_id)
            found = recordings.find(tx, self.places.bucket.name, recording_id)
        assert found is not None
        return found

    segments: list[RecordedSegment] = field(default_factory=list)
    gaps: list[RecordingGap] = field(default_factory=list)

    def joined(self) -> Path:
        """All pieces of the recording, one behind the other."""
        path = self.folder / "joined.ts"
        with path.open("wb") as file:
            for segment in self.segments:
                file.write(self.places.bucket.read(segment.key, 0, segment.size_bytes) or b"")
        return path

    def times(self, kind: str) -> np.ndarray:
        """When the packets of the whole recording are shown, seconds of stream time, ascending."""
        return packet_times(self.joined(), kind) - 1.0


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
    studio: Studio, film: Path
) -> None:
    """The station shows its film once: the recording is the film, picture by picture, sound by sound."""
    with on_hls(studio.folder / "hls", film, pace=PACE, times=1) as url:
        made = studio.record(url, until=lambda p: False, every_s=KILL_EVERY_S)
    assert studio.kills >= LENGTH_S / PACE / KILL_EVERY_S / 2
    assert made.restarts == studio.kills
    assert (made.state, made.gaps, made.missing_s) == (RecordingState.ENDED, 0, 0.0)
    assert len(studio.segments) >= LENGTH_S / SEGMENT_S / 2
    assert all(segment.uploaded_at for segment in studio.segments)
    for kind in ("v", "a"):
        recorded, broadcast = studio.times(kind), packet_times(film, kind)
        assert len(recorded) == len(broadcast)
        assert np.allclose(recorded - recorded[0], broadcast - broadcast[0], atol=2e-3)
    assert sum(segment.frames for segment in studio.segments) == LENGTH_S * RATE
    assert made.duration_s == pytest.approx(LENGTH_S, abs=0.1)


def test_a_pushed_stream_loses_no_more_than_the_reconnect_and_tells_the_gap(
    studio: Studio, film: Path
) -> None:
    port = free_port()
    push = ("-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")
    with station(*shown(film, pace=2), *push):
        made = studio.record(
            f"udp://127.0.0.1:{port}", until=lambda p: p.stream_s > 20 and studio.kills >= 2, every_s=3.5
        )
    assert made.gaps == studio.kills or made.gaps == studio.kills - 1  # the last kill may be the end
    assert {gap.reason for gap in studio.gaps} == {"recorder_killed"}
    assert all(gap.end_s - gap.start_s < 2 * 2.5 for gap in studio.gaps), studio.gaps
    times = studio.times("v")
    (jumps,) = np.nonzero(np.diff(times) > 1.5 / RATE)
    found = [(times[i] + 1 / RATE, times[i + 1]) for i in jumps]
    told = [(gap.start_s, gap.end_s) for gap in studio.gaps]
    assert np.allclose(found, told, atol=0.3), (found, told)
