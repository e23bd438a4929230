"""What an inspection costs beside plain decoding and other tools: `python -m benchmarks.speed [FILE…]`.

Plain decoding is `ffmpeg -v error -threads 1 -i FILE -f null -`. All is pinned alike and runs in turns, so
that a machine that is busy with other things slows all alike; medians are printed. An inspection is two
processes of one thread each, ffmpeg and ours, so it is measured on one core and on two. Without FILEs,
files of minutes of 1080p and 480p H.264, HEVC and VP9 are made, of the --clips given or of ffmpeg's own
sources.

    accurate   the whole fingerprint, as a multiple of plain decoding: wall time, CPU time of all processes
    fast       how many times faster than plain decoding the preset `fast` is: wall time, CPU time
    remux      how many times faster a known file in another container is recognised than inspected
    two        what two workers on two cores get done, as a multiple of one

Other tools: seconds of media per second; those that are not installed are left out.

Nothing is locked in: what runs within bubblewrap is nobody's child, and its computing nobody's either. What
the sandbox costs is measured by `benchmarks.sandbox`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.peers import peers
from inspector.fingerprint import Fingerprinter
from inspector.media import decode_media, probe_media, read_essence
from inspector.model import Fingerprint
from inspector.settings import Preset, SandboxChoice, Settings, load_settings

SIZES: Final = {"1080p": "1920:1080", "480p": "854:480"}
MADE: Final = {
    "h264-1080p.mp4": ("1080p", "libx264 -preset fast -crf 23"),
    "h264-480p.mp4": ("480p", "libx264 -preset fast -crf 23"),
    "hevc-480p.mp4": ("480p", "libx265 -preset fast -crf 28 -x265-params log-level=none:pools=1"),
    "vp9-480p.mkv": ("480p", "libvpx-vp9 -b:v 0 -crf 35 -deadline good -cpu-used 5"),
}
RUNS_OF_OTHERS: Final = 3


class Cost(NamedTuple):
    """Seconds by the clock on the wall, and seconds of computing, of all processes together."""

    wall_s: float
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--clips", nargs="*", type=Path, default=[], help="what to make the files of")
    parser.add_argument("--seconds", type=int, default=120, help="length of the files made; 1080p: a third")
    parser.add_argument("--runs", type=int, default=5, help="two workers, and other tools, run three times")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument(
        "--fingerprint", type=int, metavar="TIMES", help="only fingerprint the files so often"
    )
    given = parser.parse_args()
    if given.fingerprint:
        for file in given.fingerprint * given.files:
            look(file, settings_of(Preset.ACCURATE))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = given.files or make_all(Path(folder), given.clips, given.seconds)
        print(
            "| file | cores | plain: s | CPU s | accurate: wall | CPU | fast: wall | CPU | remux | two |\n"
            "|---|---|---|---|---|---|---|---|---|---|"
        )
        for file in files:
            for cores in (1, 2):
                print(costs_of(file, given.runs, cores), flush=True)
        if not given.no_peers:
            print_peers(files, min(given.runs, RUNS_OF_OTHERS))


def make_all(folder: Path, clips: Sequence[Path], seconds: int) -> list[Path]:
    return [
        make(folder, name, clips, seconds // 3 if size == "1080p" else seconds)
        for name, (size, _) in MADE.items()
    ]


def make(folder: Path, name: str, clips: Sequence[Path], seconds: int) -> Path:
    """A file of so many seconds: the clips one after the other, as often as needed."""
    size, encoder = MADE[name]
    codec, *options = encoder.split()
    path = folder / name
    each = max(2.0, seconds / max(len(clips), 1))
    fit = f"scale={SIZES[size]}:force_original_aspect_ratio=increase,crop={SIZES[size]},setsar=1,fps=30"
    inputs = [["-stream_loop", "-1", "-t", f"{each:.2f}", "-i", str(clip)] for clip in clips] or [
        ["-f", "lavfi", "-t", str(seconds), "-i", "mandelbrot=s=1280x720:r=30:end_scale=0.01"]
    ]
    graph = "".join(f"[{n}:v]{fit},format=yuv420p[v{n}];" for n in range(len(inputs)))
    graph += "".join(f"[v{n}]" for n in range(len(inputs))) + f"concat=n={len(inputs)}[v]"
    sound = ["-f", "lavfi", "-t", str(seconds), "-i", "anoisesrc=color=brown:r=44100"]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *(word for one in inputs for word in one), *sound]
    command += ["-filter_complex", graph, "-map", "[v]", "-map", f"{len(inputs)}:a", "-t", str(seconds)]
    command += ["-c:v", codec, *options, "-threads", "2", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path


# ---------------------------------------------------------------- ours


def costs_of(file: Path, runs: int, cores: int) -> str:
    """A row of the first table."""
    accurate, fast = settings_of(Preset.ACCURATE), settings_of(Preset.FAST)
    with pinned(cores):
        rounds = [
            (
                cost(lambda: decode_plainly(file)),
                cost(lambda: look(file, accurate)),
                cost(lambda: look(file, fast)),
                cost(lambda: recognise(file, accurate)),
            )
            for _ in range(runs)
        ]
    walls, cpus = ([[each[k] for each in one] for one in rounds] for k in (0, 1))
    accurate_wall, accurate_cpu, fast_wall, fast_cpu, remux = (
        statistics.median(ratios)
        for ratios in (
            [ours / plain for plain, ours, _, _ in walls],
            [ours / plain for plain, ours, _, _ in cpus],
            [plain / ours for plain, _, ours, _ in walls],
            [plain / ours for plain, _, ours, _ in cpus],
            [ours / known for _, ours, _, known in walls],
        )
    )
    plain = Cost(*(statistics.median(times[0] for times in one) for one in (walls, cpus)))
    figures = [*plain, accurate_wall, accurate_cpu, fast_wall, fast_cpu]
    two = f"{gain_of_two(file, min(runs, RUNS_OF_OTHERS)):.2f}" if cores == 2 else ""
    return (
        f"| {file.name} | {cores} | {' | '.join(f'{figure:.2f}' for figure in figures)} "
        f"| {remux:.0f} | {two} |"
    )


def settings_of(preset: Preset) -> Settings:
    return load_settings(decoder_threads=1, preset=preset, sandbox=SandboxChoice.NONE)


def look(file: Path, settings: Settings) -> Fingerprint:
    """The whole fingerprint of a file, from the probe on."""
    media = probe_media(file, settings)
    fingerprinter = Fingerprinter(media.aspect)
    decoded = decode_media(
        file,
        media,
        settings,
        on_frames=fingerprinter.add_frames,
        on_sound=fingerprinter.add_sound,
        on_progress=lambda _: None,
    )
    return fingerprinter.finish(decoded.duration_s, truncated=decoded.truncated)


def recognise(file: Path, settings: Settings) -> None:
    if read_essence(file, probe_media(file, settings), settings, on_progress=lambda _: None) is None:
        raise SystemExit(f"{file} cannot be recognised by its packets")


def decode_plainly(file: Path) -> None:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", str(file), "-f", "null", "-"]
    subprocess.run(command, check=True)


def gain_of_two(file: Path, runs: int) -> float:
    """How much more two workers on two cores get done than one on one, run alternately."""

    def together(count: int) -> float:
        with pinned(count):
            return cost(lambda: work(file, count)).wall_s / count

    return statistics.median(together(1) / together(2) for _ in range(runs))


def work(file: Path, workers: int) -> None:
    """So many processes at once, each of which fingerprints the file twice."""
    command = [sys.executable, "-m", "benchmarks.speed", "--fingerprint", "2", str(file)]
    processes = [subprocess.Popen(command) for _ in range(workers)]
    if [process.wait() for process in processes] != workers * [0]:
        raise SystemExit(f"{file} could not be inspected")


# ---------------------------------------------------------------- measuring


def cost(run: Callable[[], object]) -> Cost:
    before = os.times()
    run()
    after = os.times()
    return Cost(after.elapsed - before.elapsed, sum(after[:4]) - sum(before[:4]))


@contextmanager
def pinned(cores: int) -> Iterator[None]:
    """Keep this process and its children to so many cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def seconds_of(tool: Callable[[Path], object], file: Path) -> float:
    """How long a tool takes; for ever, if it cannot read the file."""
    try:
        return cost(partial(tool, file)).wall_s
    except Exception as exc:  # whatever another tool raises
        print(f"{file.name}: {exc!r}", file=sys.stderr)
        return float("inf")


def print_peers(files: Sequence[Path], runs: int) -> None:
    settings, quick = settings_of(Preset.ACCURATE), settings_of(Preset.FAST)
    tools: dict[str, Callable[[Path], object]] = {
        "inspector, accurate": lambda file: look(file, settings),
        "inspector, fast": lambda file: look(file, quick),
        **peers(),
    }
    print(
        f"\n| media seconds per second | {' | '.join(file.name for file in files)} |\n"
        f"|---|{'---|' * len(files)}"
    )
    speeds: dict[str, list[str]] = {name: [] for name in tools}
    for file in files:
        duration_s = probe_media(file, settings).duration_s or 0.0
        with pinned(1):
            rounds = [[seconds_of(tool, file.absolute()) for tool in tools.values()] for _ in range(runs)]
        for name, walls in zip(tools, zip(*rounds, strict=True), strict=True):
            speeds[name].append(f"{duration_s / statistics.median(walls):.1f}")
    for name, cells in speeds.items():
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
