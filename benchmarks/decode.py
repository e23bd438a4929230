"""What a decoding pass costs beside plain decoding: `python benchmarks/decode.py VIDEO… [--runs 5]`.

Both decode picture and sound with the same number of threads, in turns, so that a busy machine slows both.
The plain one is `ffmpeg -v error -threads N -i VIDEO -f null -`. The goal is a median wall time of at most
1.25 times. The CPU time, of all processes together, says more than the wall time where others work too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from inspector.media import decode_media, probe_media
from inspector.model import MediaInfo
from inspector.settings import Settings, load_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    settings = load_settings(decoder_threads=given.threads)
    print("plain: wall s   CPU s  inspector: wall s   CPU s  ratio: wall   CPU  video")
    for path in given.videos:
        (wall, cpu), (our_wall, our_cpu) = compare(path, settings, runs=given.runs)
        ratios = f"{our_wall / wall:11.2f}  {our_cpu / cpu:4.2f}"
        print(f"{wall:13.2f}  {cpu:6.2f}  {our_wall:17.2f}  {our_cpu:6.2f}  {ratios}  {path}")


class Cost(NamedTuple):
    """Seconds by the clock on the wall, and seconds of computing."""

    wall_s: float
    cpu_s: float


def compare(path: Path, settings: Settings, *, runs: int) -> tuple[Cost, Cost]:
    """Median costs of plain decoding and of ours, run alternately."""
    media = probe_media(path, settings)
    costs = [
        (
            _cost(lambda: _decode_plainly(path, settings.decoder_threads)),
            _cost(lambda: _decode(path, media, settings)),
        )
        for _ in range(runs)
    ]
    plain, ours = zip(*costs, strict=True)
    return _median(plain), _median(ours)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def _cost(work: Callable[[], object]) -> Cost:
    before = os.times()
    work()
    after = os.times()
    return Cost(after.elapsed - before.elapsed, sum(after[:4]) - sum(before[:4]))


def _decode_plainly(path: Path, threads: int) -> None:
    command = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-threads",
        str(threads),
        "-i",
        str(path),
        "-f",
        "null",
        "-",
    ]
    subprocess.run(command, check=True)


def _decode(path: Path, media: MediaInfo, settings: Settings) -> None:
    def ignore(_: object) -> None:
        pass

    decode_media(path, media, settings, on_frames=ignore, on_sound=ignore, on_progress=ignore)


if __name__ == "__main__":
    main()
