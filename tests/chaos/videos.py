"""Some hundred short real videos: films, edited copies and clips of them, and a tenth that is broken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.film import BROKEN, make

SIZE: Final = "192:108"
#: How many waves cross each shot. They lie and wander by chance, so that no shot looks like any other: what
#: films share by accident for a second may be found by one order of arrival only, and nothing could be
#: compared.
_WAVES: Final = 7
_EDITS: Final = (
    ("-vf", "hflip,scale=144:-2"),
    ("-vf", "eq=brightness=0.06:contrast=1.1", "-r", "20"),
    ("-ss", "1.5", "-t", "6.5"),
    ("-vf", "crop=iw*0.9:ih*0.9", "-crf", "33"),
)
_CODEC: Final = (
    *("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p"),
    *("-g", "25"),  # a key frame every second, where segments may begin
)


def make_videos(folder: Path, count: int, rng: random.Random) -> list[Path]:
    """`count` files that all differ in their bytes."""
    broken = _broken(folder, rng)
    films = _films(folder, rng)
    return [next(broken if n % 10 == 9 else films) for n in range(count)]


def copies_of(files: list[Path]) -> Iterator[tuple[int, int]]:
    """Places of each film, and of each of its copies, in what `make_videos` made."""
    places = {path.stem: place for place, path in enumerate(files) if path.stem.startswith("film")}
    for name, place in places.items():
        film, dash, _ = name.partition("-")
        if dash:
            yield places[film], place


def _films(folder: Path, rng: random.Random) -> Iterator[Path]:
    """A film, then its copies, then the next film."""
    number = 0
    while True:
        film = _film(folder / f"film{number:03}.mp4", rng)
        yield film
        for edit, arguments in enumerate(rng.sample(_EDITS, 2)):
            yield make(folder / f"film{number:03}-{edit}.mp4", "-i", str(film), *arguments, *_CODEC)
        number += 1


def _film(path: Path, rng: random.Random) -> Path:
    lengths = [rng.randrange(20, 70) / 25 for _ in range(6)]
    inputs = [
        word
        for length in lengths
        for word in ("-f", "lavfi", "-t", str(length), "-i", _source(rng))
    ]  # fmt: skip
    graph = "".join(f"[{n}:v]format=yuv420p,setsar=1[v{n}];" for n in range(len(lengths)))
    graph += "".join(f"[v{n}]" for n in range(len(lengths))) + f"concat=n={len(lengths)}"
    return make(path, *inputs, "-filter_complex", graph, *_CODEC)


def _source(rng: random.Random) -> str:
    """Long waves of light, of random direction, strength and speed."""
    waves = (
        f"{rng.uniform(12, 40):.0f}*sin({rng.uniform(-16, 16):.2f}*X/W+{rng.uniform(-12, 12):.2f}*Y/H"
        f"+{rng.uniform(0.5, 5) * rng.choice((-1, 1)):.2f}*T+{rng.uniform(0, 6.28):.2f})"
        for _ in range(_WAVES)
    )
    light = "+".join(waves)
    grain = f"noise=alls=8:allf=t:all_seed={rng.randrange(10**6)}"  # makes files as large as films are
    return f"nullsrc=size=32x18:rate=25,geq=lum=128+{light}:cb=128:cr=128,scale={SIZE},{grain}"


def _broken(folder: Path, rng: random.Random) -> Iterator[Path]:
    """Files of every kind that is no video, each of other bytes."""
    kinds = [name for name in BROKEN if name != "empty.mp4"]
    for number in range(10_000):
        name = kinds[number % len(kinds)]
        place = folder / f"broken{number:03}"
        place.mkdir()
        path = BROKEN[name][0](place / name)
        path.write_bytes(path.read_bytes() + rng.randbytes(16) * (name != "playlist.mp4"))
        yield path
