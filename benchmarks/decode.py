"""What a decoding pass costs beside plain decoding: `python benchmarks/decode.py VIDEO… [--runs 5]`.

Both decode picture and sound with the same number of threads, in turns, so that a busy machine slows both.
The plain one is `ffmpeg -v error -threads N -i VIDEO -f null -`. The goal is a median of at most 1.25 times.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

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
    print("plain s  inspector s  ratio  video")
    for path in given.videos:
        plain_s, inspector_s = compare(path, settings, runs=given.runs)
        print(f"{plain_s:7.2f}  {inspector_s:11.2f}  {inspector_s / plain_s:5.2f}  {path}")


def compare(path: Path, settings: Settings, *, runs: int) -> tuple[float, float]:
    """Median wall times, in seconds, of plain decoding and of ours, run alternately."""
    media = probe_media(path, settings)
    times = [
        (
            _timed(lambda: _decode_plainly(path, settings.decoder_threads)),
            _timed(lambda: _decode(path, media, settings)),
        )
        for _ in range(runs)
    ]
    plain, ours = zip(*times, strict=True)
    return statistics.median(plain), statistics.median(ours)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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
