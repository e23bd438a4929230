"""Some hundred short real videos: films, edited copies and clips of them, and a tenth that is broken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.film import BROKEN, make

SIZE: Final = "192x108"
#: Pictures that no other shot shows: what films share by accident for a second may be found or not (see
#: docs/reliability.md), and nothing could be compared.
_SOURCES: Final = (
    "gradients=seed={seed}:speed=0.08:n=4:size={size}:rate=25",
    "life=mold=10:ratio=0.3:seed={seed}:death_color=#{colour}:life_color=#00ff00:size={size}:rate=25",
    "sierpinski=seed={seed}:jump=40:size={size}:rate=25,colorize=hue={hue}",
    "cellauto=ratio=0.4:rule={rule}:seed={seed}:size={size}:rate=25",
)
_EDITS: Final = (
    ("-vf", "hflip,scale=144:-2"),
    ("-vf", "eq=brightness=0.06:contrast=1.1", "-r", "20"),
    ("-ss", "1.5", "-t", "4.5"),
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
    lengths = [rng.randrange(20, 70) / 25 for _ in range(4)]
    inputs = [
        word
        for length in lengths
        for word in ("-f", "lavfi", "-t", str(length), "-i", _source(rng))
    ]  # fmt: skip
    graph = "".join(f"[{n}:v]format=yuv420p,setsar=1[v{n}];" for n in range(len(lengths)))
    graph += "".join(f"[v{n}]" for n in range(len(lengths))) + f"concat=n={len(lengths)}"
    return make(path, *inputs, "-filter_complex", graph, *_CODEC)


def _source(rng: random.Random) -> str:
    return rng.choice(_SOURCES).format(
        seed=rng.randrange(10**6),
        colour=f"{rng.randrange(2**24):06x}",
        hue=rng.randrange(360),
        rule=rng.choice((18, 30, 45, 73, 105, 110, 150)),
        size=SIZE,
    )


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
