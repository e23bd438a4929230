"""Cut detectors to be compared: a file in, the times of its cuts out (seconds, ascending)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from inspector.fingerprint import Fingerprinter
from inspector.media import decode_media, probe_media
from inspector.settings import load_settings

Detector = Callable[[Path], list[float]]


def detect_ours(path: Path) -> list[float]:
    settings = load_settings()
    fingerprinter = Fingerprinter()
    decoded = decode_media(
        path,
        probe_media(path, settings),
        settings,
        on_frames=fingerprinter.add_frames,
        on_sound=fingerprinter.add_sound,
        on_progress=lambda _: None,
    )
    times: list[float] = fingerprinter.finish(decoded.duration_s, truncated=False).cuts_s.tolist()
    return times


def detect_scdet(path: Path) -> list[float]:
    """ffmpeg's filter, as it comes."""
    command = [
        "ffmpeg",
        "-nostdin",
        "-hide_banner",
        "-i",
        str(path),
        "-an",
        "-vf",
        "scdet",
        "-f",
        "null",
        "-",
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return [float(time) for time in re.findall(r"lavfi\.scd\.time: ?([\d.]+)", told)]


def _scenedetect(name: str) -> Detector:
    """A detector of PySceneDetect, as it comes."""

    def detect(path: Path) -> list[float]:
        import scenedetect

        scenes = scenedetect.detect(str(path), getattr(scenedetect, name)())
        return [start.get_seconds() for start, _ in scenes[1:]]

    return detect


def detectors() -> dict[str, Detector]:
    """Those that are installed."""
    found: dict[str, Detector] = {"inspector": detect_ours, "ffmpeg scdet": detect_scdet}
    if find_spec("scenedetect"):
        found |= {
            f"PySceneDetect {name}": _scenedetect(f"{name}Detector") for name in ("Adaptive", "Content")
        }
    return found
