"""Films of which every transition is known to the frame, composed from shots.

Shots come from given clips (each a single shot) or from ffmpeg's own sources; between them lie hard cuts,
dissolves and fades through black, and inside some of them flashes and fast pans, which are no transitions.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]  # (n, height, width, 3)
Span = tuple[int, int]  # [first, end) in frames

RATE: Final = 25
WIDTH, HEIGHT = 320, 180
#: Shots are read larger than they are shown, so that a pan has somewhere to go.
READ_WIDTH, READ_HEIGHT = 480, 270
LENGTHS: Final = (20, 110)  # frames of a shot
GRADUAL: Final = (10, 20)  # frames of a dissolve or a fade
LEAST_DECORATED: Final = 70  # shorter shots have neither flash nor pan
TRANSITIONS: Final = (("cut", 0.6), ("dissolve", 0.2), ("fade", 0.2))
EVENTS: Final = (("none", 0.4), ("flash", 0.3), ("pan", 0.3))

#: Moving pictures of very different kinds, for those who have no clips.
SOURCES: Final = (
    "testsrc2=s=480x270:r=25",
    "mandelbrot=s=480x270:r=25:start_scale=0.5:end_scale=0.2",
    "life=s=480x270:mold=10:r=25:ratio=0.2:seed=3:death_color=#402010:life_color=#ffe0a0,boxblur=3",
    "gradients=s=480x270:r=25:seed=4:speed=0.02:n=4",
    "cellauto=s=480x270:r=25:rule=110:seed=2:scroll=1,boxblur=2",
    "gradients=s=480x270:r=25:seed=9:speed=0.05:n=2:type=radial",
    "mandelbrot=s=480x270:r=25:start_x=-1.2:start_y=0.2:end_scale=0.02",
)


@dataclass
class Film:
    """Where the shots of a film change.

    cuts: first frames of new shots.  gradual: dissolves and fades.  flashes, pans: what is no transition.
    """

    path: Path
    frames: int = 0
    cuts: list[int] = field(default_factory=list)
    gradual: list[Span] = field(default_factory=list)
    flashes: list[Span] = field(default_factory=list)
    pans: list[Span] = field(default_factory=list)


def compose(path: Path, clips: Sequence[Path], *, shots: int, seed: int) -> Film:
    """Write a film of so many shots; the same clips and seed give the same film."""
    rng = random.Random(seed)
    film = Film(path)
    with _encoding(path) as pipe:
        kept = np.zeros((0, HEIGHT, WIDTH, 3), np.uint8)  # the end of the film so far, not written yet
        for source in _sources(clips, shots, rng):
            kept = _join(film, kept, _read(source, rng), rng)
            done = max(0, len(kept) - GRADUAL[1])
            pipe.write(kept[:done].tobytes())
            kept = kept[done:]
        pipe.write(kept.tobytes())
    return film


def _sources(clips: Sequence[Path], shots: int, rng: random.Random) -> list[str]:
    """Inputs of the shots, no two neighbours the same."""
    pool = [f"file:{clip.absolute()}" for clip in clips] or list(SOURCES)
    chosen: list[str] = []
    while len(chosen) < shots:
        source = rng.choice(pool)
        if not chosen or source != chosen[-1]:
            chosen.append(source)
    return chosen


def _read(source: str, rng: random.Random) -> Frames:
    """A stretch of a source, somewhat larger than it will be shown."""
    size = f"{READ_WIDTH}:{READ_HEIGHT}"
    fit = f"scale={size}:force_original_aspect_ratio=increase,crop={size},fps={RATE}"
    opened = ["-i", source] if source.startswith("file:") else ["-f", "lavfi", "-i", source]
    start, count = f"{rng.uniform(0, 2):.2f}", str(rng.randint(*LENGTHS))
    command = ["ffmpeg", "-nostdin", "-v", "error", "-ss", start, *opened, "-vf", fit, "-frames:v", count]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, READ_HEIGHT, READ_WIDTH, 3)


def _join(film: Film, kept: Frames, shot: Frames, rng: random.Random) -> Frames:
    """The end of the film with the shot behind it; notes what lies between them and in the shot."""
    transition = _pick(TRANSITIONS, rng) if film.frames else "none"
    length = min(rng.randint(*GRADUAL), len(kept), len(shot)) // 2 * 2
    half = length // 2
    start = film.frames - length if transition == "dissolve" else film.frames
    shown = _decorate(film, shot, start, rng)
    film.frames = start + len(shown)
    share = np.linspace(0, 1, length + 2)[1:-1, None, None, None]
    if transition == "dissolve":
        film.gradual.append((start, start + length))
        mixed = kept[-length:] * (1 - share) + shown[:length] * share
        return np.concatenate((kept[:-length], mixed.astype(np.uint8), shown[length:]))
    if transition == "fade":
        film.gradual.append((start - half, start + half))
        down, up = kept[-half:] * (1 - share[1::2]), shown[:half] * share[::2]
        return np.concatenate((kept[:-half], down.astype(np.uint8), up.astype(np.uint8), shown[half:]))
    if transition == "cut":
        film.cuts.append(start)
    return np.concatenate((kept, shown))


def _decorate(film: Film, shot: Frames, start: int, rng: random.Random) -> Frames:
    """The shot at the size it is shown, some with a flash or a fast pan in the middle."""
    event = _pick(EVENTS, rng) if len(shot) >= LEAST_DECORATED else "none"
    first = rng.randint(25, 35)
    end = first + (rng.randint(8, 14) if event == "pan" else rng.randint(1, 4))
    top, middle, most = (READ_HEIGHT - HEIGHT) // 2, (READ_WIDTH - WIDTH) // 2, READ_WIDTH - WIDTH
    left = np.full(len(shot), middle)
    if event == "pan":
        left[:first], left[first:end], left[end:] = 0, np.linspace(0, most, end - first), most
        film.pans.append((start + first, start + end))
    shown = np.stack([f[top : top + HEIGHT, x : x + WIDTH] for f, x in zip(shot, left, strict=True)])
    if event == "flash":
        shown[first:end] = 255 - (255 - shown[first:end]) // rng.randint(3, 12)
        film.flashes.append((start + first, start + end))
    return shown


def _pick(shares: Sequence[tuple[str, float]], rng: random.Random) -> str:
    names, weights = zip(*shares, strict=True)
    return str(rng.choices(names, weights)[0])


@contextmanager
def _encoding(path: Path) -> Iterator[IO[bytes]]:
    """A pipe that takes raw frames and leaves an H.264 file behind."""
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-"]
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p", "-threads", "1"]
    command = ["ffmpeg", "-v", "error", "-y", *raw, *codec, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        if process.stdin is None:
            raise SystemExit("ffmpeg takes no input")
        yield process.stdin
        process.stdin.close()
    if process.returncode:
        raise SystemExit(f"ffmpeg could not write {path}")
