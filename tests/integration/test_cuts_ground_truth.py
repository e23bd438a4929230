"""Cuts against ground truth: clips composed by ffmpeg from known segments, decoded by our own decoder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from inspector.fingerprint import Fingerprinter
from inspector.media import decode_media, probe_media
from inspector.model import FloatArray, FrameBatch
from inspector.settings import load_settings

RATES = ("24000/1001", "25", "30000/1001", "50", "60")

#: Moving pictures of very different kinds; `{r}` is the frame rate.
SOURCES = (
    "testsrc2=s=320x180:r={r}",
    "mandelbrot=s=320x180:r={r}:start_scale=0.5:end_scale=0.2",
    "life=s=320x180:mold=10:r={r}:ratio=0.2:seed=3:death_color=#402010:life_color=#ffe0a0,boxblur=3",
    "gradients=s=320x180:r={r}:seed=4:speed=0.02:n=4",
    "smptebars=s=480x270:r={r},crop=320:180:80+60*sin(t):45+30*cos(t)",
    "cellauto=s=320x180:r={r}:rule=110:seed=2:scroll=1,boxblur=2",
    "rgbtestsrc=s=480x270:r={r},rotate=0.2*t:c=gray,crop=320:180",
    "gradients=s=320x180:r={r}:seed=9:speed=0.05:n=2:type=radial",
)
#: How many frames at 25 a second each shot lasts; scaled to the rate.
LENGTHS = (37, 12, 51, 25, 8, 60, 19, 33)


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True, timeout=100)


def compose(path: Path, rate: str, *, filters: str = "", output: Sequence[str] = ()) -> list[int]:
    """Join a shot of each source; returns the numbers of the first frames of all shots but the first."""
    counts = [max(3, round(n * Fraction(rate) / 25)) for n in LENGTHS]
    chains = [
        f"{source.format(r=rate)},format=yuv420p,setsar=1,trim=end_frame={count},setpts=PTS-STARTPTS[s{k}]"
        for k, (source, count) in enumerate(zip(SOURCES, counts, strict=True))
    ]
    pads = "".join(f"[s{k}]" for k in range(len(chains)))
    graph = ";".join([*chains, f"{pads}concat=n={len(chains)}:v=1:a=0,settb=1/90000{filters}[out]"])
    ffmpeg(
        *("-filter_complex", graph, "-map", "[out]", "-fps_mode", "passthrough"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", "-threads", "2", *output, str(path)),
    )
    return list(accumulate(counts))[:-1]


def look(path: Path) -> tuple[FloatArray, FloatArray]:
    """The times of all frames, and the cuts found."""
    settings = load_settings()
    times: list[FloatArray] = []
    fingerprinter = Fingerprinter()

    def take(batch: FrameBatch) -> None:
        times.append(batch.times_s)
        fingerprinter.add_frames(batch)

    decoded = decode_media(
        path,
        probe_media(path, settings),
        settings,
        on_frames=take,
        on_sound=fingerprinter.add_sound,
        on_progress=lambda _: None,
    )
    fingerprint = fingerprinter.finish(decoded.duration_s, truncated=decoded.truncated)
    return np.concatenate(times), fingerprint.cuts_s


@pytest.mark.parametrize("rate", RATES)
def test_every_cut_is_found_to_the_frame(tmp_path: Path, rate: str) -> None:
    expected = compose(tmp_path / "clip.mp4", rate)
    times, cuts = look(tmp_path / "clip.mp4")
    assert cuts.tolist() == times[expected].tolist()
    assert cuts == pytest.approx([k / float(Fraction(rate)) for k in expected], abs=0.001)


@pytest.mark.parametrize("container", ["mkv", "ts", "mov"])
def test_containers_make_no_difference(tmp_path: Path, container: str) -> None:
    expected = compose(tmp_path / f"clip.{container}", "25")
    times, cuts = look(tmp_path / f"clip.{container}")
    assert cuts.tolist() == times[expected].tolist()


def test_frames_at_uneven_times(tmp_path: Path) -> None:
    """Variable frame rate: of 60 frames a second an irregular third is left out."""
    left_out = "not(eq(mod(n\\,7)\\,3)+eq(mod(n\\,11)\\,5)+eq(mod(n\\,13)\\,2))"
    first = compose(tmp_path / "clip.mkv", "60", filters=f",select='{left_out}'")
    times, cuts = look(tmp_path / "clip.mkv")
    assert len(set(np.round(np.diff(times), 3))) > 1
    expected = [float(times[times >= n / 60 - 0.002][0]) for n in first]
    assert cuts.tolist() == expected


def test_times_count_from_the_start_of_the_container(tmp_path: Path) -> None:
    expected = compose(tmp_path / "clip.ts", "25", output=("-output_ts_offset", "3607.5"))
    times, cuts = look(tmp_path / "clip.ts")
    assert times[0] == pytest.approx(0, abs=0.001)
    assert cuts.tolist() == times[expected].tolist()


@pytest.mark.parametrize(
    "edit",
    [
        "crop=iw*0.9:ih*0.9:7:3",
        "hflip",
        "pad=iw:ih*1.3:0:(oh-ih)/2",
        "eq=brightness=-0.1:contrast=0.8:gamma=1.3",
        "gblur=sigma=3",
        "scale=80:-2",
        "noise=alls=20:allf=t",
        "drawbox=x=0:y=ih*0.8:w=iw:h=ih*0.2:color=black:t=fill",
    ],
)
def test_cuts_survive_edits(tmp_path: Path, edit: str) -> None:
    expected = compose(tmp_path / "clip.mp4", "25", filters=f",{edit}")
    times, cuts = look(tmp_path / "clip.mp4")
    assert cuts.tolist() == times[expected].tolist()


def one_shot(path: Path, filters: str) -> FloatArray:
    ffmpeg(
        *("-f", "lavfi", "-i", f"{SOURCES[0].format(r=25)},trim=end=6{filters}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)),
    )
    return look(path)[1]


@pytest.mark.parametrize(
    "flash",
    [
        ",eq=brightness='if(between(t,2,2.1),0.5,0)':eval=frame",
        ",drawbox=color=white:t=fill:enable='between(t,2,2.05)'",
        ",drawbox=color=white@0.7:t=fill:enable='between(t,2,2.2)+between(t,3,3.1)+between(t,3.3,3.35)'",
    ],
)
def test_flashes_are_no_cuts(tmp_path: Path, flash: str) -> None:
    assert one_shot(tmp_path / "clip.mp4", flash).size == 0


def joined(kind: str, seconds: float) -> Callable[[Path], FloatArray]:
    def make(path: Path) -> FloatArray:
        first, second = (f"{SOURCES[k].format(r=25)},format=yuv420p,settb=1/25,trim=end=5" for k in (1, 4))
        graph = f"{first}[a];{second}[b];[a][b]xfade=transition={kind}:duration={seconds}:offset=2.5"
        ffmpeg("-filter_complex", graph, "-c:v", "libx264", "-preset", "ultrafast", str(path))
        return look(path)[1]

    return make


@pytest.mark.parametrize("kind", ["fade", "fadeblack", "fadewhite", "dissolve"])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_gradual_transitions_give_at_most_one_cut(tmp_path: Path, kind: str, seconds: float) -> None:
    assert joined(kind, seconds)(tmp_path / "clip.mp4").size <= 1


def test_a_still_picture_has_no_cuts(tmp_path: Path) -> None:
    assert (
        one_shot(tmp_path / "clip.mp4", ",select='eq(n,0)',loop=-1:1:0,setpts=N/25/TB,trim=end=6").size == 0
    )
