"""How well cuts are found, side by side with other detectors: `python -m benchmarks.cuts [CLIP…]`.

First against composed ground truth: hard cuts, dissolves, fades, flashes and fast pans. A hard cut is found
if a detection lies within two frames of it; a detection anywhere in a dissolve or fade finds that; every
other detection is false. Then repeatability, which matching lives on, as two figures for each edit: of all
hard cuts of the films, the share that is found both in the film and in its edited copy; and of all detections
in both, false ones too, the share that has a partner in the other within two frames.

CLIPs are shots to compose films from (each must be a single shot); without any, ffmpeg's own sources are
used. Films are made anew each time, from a seed, so two runs see the same. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.composing import RATE, Film, compose
from benchmarks.detectors import Detector, detectors

TOLERANCE_S: Final = 2.5 / RATE  # two frames, and half of one for rounding

#: Edits of the accuracy benchmark that keep all of the film: filters, encoder, speed.
EDITS: Final[dict[str, tuple[str, str, float]]] = {
    "crf 35": ("null", "libx264 -crf 35", 1),
    "HEVC, low": ("null", "libx265 -crf 36 -x265-params log-level=none:pools=1", 1),
    "VP9, low": ("null", "libvpx-vp9 -b:v 0 -crf 50 -deadline realtime -cpu-used 8", 1),
    "quarter size": ("scale=iw/4:ih/4,pad=ceil(iw/2)*2:ceil(ih/2)*2", "libx264 -crf 28", 1),
    "15 fps": ("fps=15", "libx264 -crf 23", 1),
    "10 fps": ("fps=10", "libx264 -crf 23", 1),
    "crop 10 %": ("crop=iw*0.9:ih*0.9:iw*0.03:ih*0.07", "libx264 -crf 23", 1),
    "crop 20 %": ("crop=iw*0.8:ih*0.8:iw*0.15:ih*0.05", "libx264 -crf 23", 1),
    "letterbox": ("pad=iw:ih*1.33:0:(oh-ih)/2", "libx264 -crf 23", 1),
    "9:16": ("crop=ih*9/16:ih", "libx264 -crf 23", 1),
    "mirrored": ("hflip", "libx264 -crf 23", 1),
    "turned 4°": ("rotate=4*PI/180", "libx264 -crf 23", 1),
    "turned 90°": ("transpose=1", "libx264 -crf 23", 1),
    "caption 20 %": ("drawbox=y=ih*0.8:h=ih*0.2:color=white:t=fill", "libx264 -crf 23", 1),
    "brighter, flatter": ("eq=brightness=0.08:contrast=0.75:gamma=1.2", "libx264 -crf 23", 1),
    "grey": ("hue=s=0", "libx264 -crf 23", 1),
    "blur": ("gblur=sigma=3", "libx264 -crf 23", 1),
    "noise": ("noise=alls=30:allf=t", "libx264 -crf 30", 1),
    "inset": (
        "scale=iw*0.6:ih*0.6,setsar=1[small];testsrc2=s=320x180:r=25[back];[back][small]overlay=60:30:shortest=1",
        "libx264 -crf 23",
        1,
    ),
    "camcord": (
        "rotate=2*PI/180,gblur=sigma=1.2,noise=alls=12:allf=t,eq=brightness=-0.05:contrast=0.85",
        "libx264 -crf 30",
        1,
    ),
    "heavy": ("crop=iw*0.9:ih*0.9,hflip,drawbox=w=60:h=24:color=red:t=fill", "libx264 -crf 32", 1.05),
    "speed 1.05": ("null", "libx264 -crf 23", 1.05),
    "speed 0.9": ("null", "libx264 -crf 23", 0.9),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    parser.add_argument("--films", type=int, default=4)
    parser.add_argument("--shots", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=len(EDITS), help="only so many edits")
    given = parser.parse_args()
    tools = detectors()
    with tempfile.TemporaryDirectory() as folder:
        films = [
            compose(Path(folder) / f"film{n}.mp4", given.clips, shots=given.shots, seed=given.seed + n)
            for n in range(given.films)
        ]
        found = {name: [detect(film.path) for film in films] for name, detect in tools.items()}
        print_truth(films, found)
        if given.edits:
            print_repeatability(films, found, tools, Path(folder), dict(list(EDITS.items())[: given.edits]))


# ---------------------------------------------------------------- ground truth


class Count(NamedTuple):
    """What a detector made of a film. false_*: detections where nothing changes, by where they lie."""

    hard: int
    gradual: int
    false_flash: int
    false_pan: int
    false_elsewhere: int

    @property
    def false(self) -> int:
        return self.false_flash + self.false_pan + self.false_elsewhere


def judge(film: Film, times_s: Sequence[float]) -> Count:
    """Count what was found; each cut and each gradual transition is found at most once."""
    hard: set[int] = set()
    gradual: set[tuple[int, int]] = set()
    false: Counter[str] = Counter()
    for frame in (time_s * RATE for time_s in times_s):
        cut = min(film.cuts, key=lambda c: abs(c - frame), default=None)
        span = _inside(film.gradual, frame)
        if cut is not None and abs(cut - frame) <= TOLERANCE_S * RATE and cut not in hard:
            hard.add(cut)
        elif span is not None and span not in gradual:
            gradual.add(span)
        else:
            places = (("flash", film.flashes), ("pan", film.pans))
            false[next((name for name, spans in places if _inside(spans, frame)), "elsewhere")] += 1
    return Count(len(hard), len(gradual), false["flash"], false["pan"], false["elsewhere"])


def _inside(spans: Sequence[tuple[int, int]], frame: float) -> tuple[int, int] | None:
    slack = TOLERANCE_S * RATE
    return next((span for span in spans if span[0] - slack <= frame <= span[1] + slack), None)


def print_truth(films: Sequence[Film], found: dict[str, list[list[float]]]) -> None:
    cuts, spans = sum(len(f.cuts) for f in films), sum(len(f.gradual) for f in films)
    flashes, pans = sum(len(f.flashes) for f in films), sum(len(f.pans) for f in films)
    minutes = sum(f.frames for f in films) / RATE / 60
    print(
        f"{len(films)} films, {minutes:.1f} min: {cuts} hard cuts, {spans} dissolves and fades, "
        f"{flashes} flashes, {pans} fast pans\n"
    )
    print(
        "| detector | hard cuts: recall | precision | F1 | gradual ones found | false: flash | pan | else |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, times in found.items():
        counts = [judge(film, each) for film, each in zip(films, times, strict=True)]
        total = Count(*(sum(column) for column in zip(*counts, strict=True)))
        recall, precision = total.hard / max(cuts, 1), total.hard / max(total.hard + total.false, 1)
        f1 = 2 * recall * precision / max(recall + precision, 1e-9)
        print(
            f"| {name} | {recall:.3f} | {precision:.3f} | {f1:.3f} | {total.gradual / max(spans, 1):.2f} "
            f"| {total.false_flash} | {total.false_pan} | {total.false_elsewhere} |"
        )


# ---------------------------------------------------------------- repeatability


def print_repeatability(
    films: Sequence[Film],
    found: dict[str, list[list[float]]],
    tools: dict[str, Detector],
    folder: Path,
    edits: dict[str, tuple[str, str, float]],
) -> None:
    print(f"\n| cuts found again after | {' | '.join(tools)} |\n|---|{'---|' * len(tools)}")
    cuts = sum(len(film.cuts) for film in films)
    shares: dict[str, list[tuple[float, float]]] = {name: [] for name in tools}
    for edit, (filters, encoder, speed) in edits.items():
        again: Counter[str] = Counter()
        both: Counter[str] = Counter()
        either: Counter[str] = Counter()
        for n, film in enumerate(films):
            copy = edit_film(film.path, folder / "copy.mkv", filters, encoder, speed)
            for name, detect in tools.items():
                here, there = found[name][n], [time_s * speed for time_s in detect(copy)]
                known = [cut / RATE for cut in film.cuts if count_common([cut / RATE], here)]
                again[name] += count_common(known, there)
                both[name] += 2 * count_common(here, there)
                either[name] += len(here) + len(there)
        for name in tools:
            shares[name].append((again[name] / max(cuts, 1), both[name] / max(either[name], 1)))
        print(f"| {edit} | {' | '.join('{:.2f}, {:.2f}'.format(*shares[name][-1]) for name in tools)} |")
    means = [
        [sum(column) / len(values) for column in zip(*values, strict=True)] for values in shares.values()
    ]
    print(f"| mean | {' | '.join('{:.3f}, {:.3f}'.format(*mean) for mean in means)} |")


def edit_film(source: Path, target: Path, filters: str, encoder: str, speed: float) -> Path:
    graph = f"[0:v]{filters},setpts=PTS/{speed}[out]" if "[" not in filters else f"[0:v]{filters}[out]"
    codec, *options = encoder.split()
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), "-filter_complex", graph]
    command += ["-map", "[out]", "-fps_mode", "vfr", "-c:v", codec, *options, "-threads", "1"]
    preset = ["-preset", "veryfast"] if codec in ("libx264", "libx265") else []
    subprocess.run([*command, *preset, "-pix_fmt", "yuv420p", str(target)], check=True)
    return target


def count_common(a: Sequence[float], b: Sequence[float]) -> int:
    """How many of two ascending sequences of times lie within two frames of each other, each used once."""
    i = j = common = 0
    while i < len(a) and j < len(b):
        if abs(a[i] - b[j]) <= TOLERANCE_S:
            i, j, common = i + 1, j + 1, common + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return common


if __name__ == "__main__":
    main()
