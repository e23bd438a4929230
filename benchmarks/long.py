"""What two long films that share an hour cost a worker, and what its death in mid-work costs.

    python -m benchmarks.long CLIP CLIP… [--hours 6] [--kill 0.5] [--folder FOLDER]

The clips, which must have sound, are made small and cut together into two reels; each reel is looped without
encoding it again until it is so many hours long, and the first hour of one film also ends the other. A stack
of its own with one worker (`inspector up`) then inspects both. Printed are the peak of the worker's resident
memory after each film (VmHWM of the Python process, so everything is in it: download, fingerprint, storing,
landmarks, look-up, comparison), how long each took, and what was found. With --kill the worker is killed when
the second film is so far, and how far its successor takes it up is printed too.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from inspector.settings import load_settings
from inspector.stack import join_stack

SMALL: Final = (
    *("-vf", "scale=160:90,setsar=1,fps=25,format=yuv420p", "-c:v", "libx264", "-preset", "veryfast"),
    *("-crf", "30", "-g", "50", "-c:a", "aac", "-b:a", "48k", "-ar", "22050", "-ac", "1"),
)
HOUR_S: Final = 3600
PACE_S: Final = 1.0
LEASE_S: Final = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--hours", type=float, default=6)
    parser.add_argument("--kill", type=float, help="kill the worker at this share of the second film")
    parser.add_argument("--folder", type=Path, help="where the films are made, and kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(exist_ok=True)
        films = make_films(folder, options.clips, options.hours)
        with Stack(Path(scratch)).running() as stack:
            for film, kill in zip(films, (None, options.kill), strict=True):
                stack.inspect(film, kill)


def make_films(folder: Path, clips: Sequence[Path], hours: float) -> tuple[Path, Path]:
    """Two films of so many hours; the second ends with the beginning of the first."""
    first, second = folder / "first.mp4", folder / "second.mp4"
    if not second.exists():
        shared_s, half = hours * HOUR_S / 6, len(clips) // 2
        reels = [_reel(folder / f"reel{n}", part) for n, part in enumerate((clips[:half], clips[half:]))]
        _loop(reels[0], first, hours * HOUR_S)
        parts = [folder / "own.mp4", folder / "shared.mp4"]
        _loop(reels[1], parts[0], hours * HOUR_S - shared_s)
        _loop(reels[0], parts[1], shared_s)
        _join(parts, second)
    return first, second


def _reel(folder: Path, clips: Sequence[Path]) -> Path:
    folder.mkdir(exist_ok=True)
    parts = [folder / f"{n}.mp4" for n in range(len(clips))]
    for clip, part in zip(clips, parts, strict=True):
        _ffmpeg("-i", str(clip), *SMALL, str(part))
    _join(parts, folder / "reel.mp4")
    return folder / "reel.mp4"


def _join(parts: Sequence[Path], path: Path) -> None:
    listed = path.with_suffix(".txt")
    listed.write_text("".join(f"file '{part.absolute()}'\n" for part in parts))
    _ffmpeg("-f", "concat", "-safe", "0", "-i", str(listed), "-c", "copy", str(path))


def _loop(reel: Path, path: Path, seconds: float) -> None:
    _ffmpeg("-stream_loop", "-1", "-i", str(reel), "-t", f"{seconds:g}", "-c", "copy", str(path))


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True)


class Stack:
    """`inspector up` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        chosen = {"DATA_DIR": str(folder / "data"), "WORKERS": "1", "WORKER_METRICS_PORT": "0"}
        chosen |= {"LEASE_S": str(LEASE_S), "HEARTBEAT_S": str(LEASE_S / 3), "LOG_FORMAT": "json"}
        os.environ.update({f"INSPECTOR_{name}": value for name, value in chosen.items()})
        self._log = folder / "log"
        self._settings = load_settings()
        self._up: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[Stack]:
        with self._log.open("wb") as log:
            argv = [sys.executable, "-m", "inspector", "up"]
            self._up = subprocess.Popen(argv, stdout=log, stderr=log, process_group=0)
        try:
            while not (self._worker() and (self._settings.data_dir / "running.json").exists()):
                time.sleep(PACE_S)
            yield self
        finally:
            self._up.send_signal(signal.SIGTERM)
            self._up.wait()

    def inspect(self, film: Path, kill: float | None) -> None:
        """Upload a film, and look at the worker until it is done."""
        subprocess.run([sys.executable, "-m", "inspector", "put", str(film)], check=True)
        began, peak_kib, told = time.monotonic(), 0, 0.0
        while (status := self._status(film.name))["status"] not in ("done", "rejected", "failed"):
            progress = status.get("progress", 0.0)
            worker = self._worker()
            peak_kib = max(peak_kib, _peak_kib(worker) if worker else 0)
            if progress >= told + 0.05:
                told = progress
                print(f"  {film.name} {progress:.0%}: peak {peak_kib / 1024:.0f} MiB", flush=True)
            if kill is not None and progress >= kill and worker:
                os.kill(worker, signal.SIGKILL)
                print(f"  worker killed at {progress:.1%}", flush=True)
                kill = None
            time.sleep(PACE_S)
        worker = self._worker()
        peak_kib = max(peak_kib, _peak_kib(worker) if worker else 0)
        found = [(d["key"], d["verdict"], len(d["segments"])) for d in status["duplicates"]]
        print(
            f"{film.name}: {status['status']} after {time.monotonic() - began:.0f} s, "
            f"peak {peak_kib / 1024:.0f} MiB, attempts {status.get('attempts')}, found {found}",
            flush=True,
        )
        for line in self._log.read_text().splitlines():
            if "inspection_resumed" in line:
                print(f"  {line}")

    def _status(self, key: str) -> dict[str, Any]:
        settings = join_stack(self._settings)
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.port}/status/{key}", timeout=60) as answer:
            status: dict[str, Any] = json.load(answer)
        return status

    def _worker(self) -> int | None:
        """The process of the one worker."""
        supervisor = self._up.pid if self._up else None
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if parent == supervisor and b"work" in words:
                return int(folder.name)
        return None


def _peak_kib(pid: int) -> int:
    try:
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
