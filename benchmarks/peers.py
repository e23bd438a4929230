"""Other tools, each fingerprinting a whole file with one thread: a file in, nothing out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

Tool = Callable[[Path], object]

PDQ_SIZE: Final = 512  # vPDQ makes frames so small before it hashes them


def peers() -> dict[str, Tool]:
    """ffmpeg's own filter, and those Python packages that are installed."""
    found: dict[str, Tool] = {"ffmpeg signature": _signature}
    packages: dict[str, tuple[str, Tool]] = {
        "pdqhash": ("vPDQ, 1 fps", _pdq),
        "videohash2": ("videohash2", _videohash),
        "scenedetect": ("PySceneDetect Adaptive", _scenedetect),
    }
    for package, (name, tool) in packages.items():
        if find_spec(package):
            found[name] = tool
        else:
            print(f"{name} is left out: {package} is not installed", file=sys.stderr)
    return found


def _decode(file: Path, *output: str) -> subprocess.CompletedProcess[bytes]:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-filter_threads", "1", "-i", str(file)]
    return subprocess.run([*command, *output], check=True, capture_output=True)


def _signature(file: Path) -> None:
    """The MPEG-7 video signature."""
    _decode(file, "-an", "-vf", "signature", "-f", "null", "-")


def _pdq(file: Path) -> None:
    """As vPDQ does it: one frame a second, hashed by PDQ. (vPDQ's own package has to be built from C++.)"""
    import pdqhash

    shape = (PDQ_SIZE, PDQ_SIZE, 3)
    fit = f"fps=1,scale={PDQ_SIZE}:{PDQ_SIZE}"
    raw = _decode(file, "-an", "-vf", fit, "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    for frame in np.frombuffer(raw, np.uint8).reshape(-1, *shape):
        pdqhash.compute(frame)


def _videohash(file: Path) -> None:
    from videohash2 import VideoHash

    VideoHash(path=str(file)).delete_storage_path()


def _scenedetect(file: Path) -> None:
    import scenedetect

    scenedetect.detect(str(file), scenedetect.AdaptiveDetector())
