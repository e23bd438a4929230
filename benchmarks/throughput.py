"""How many seconds of video a CPU second buys: `python -m benchmarks.throughput FILE…`.

CPU time of all processes together, from the probe to the fingerprint with its landmarks, as a worker does it
with one decoder thread; it hardly depends on what else the machine does. Files of a height are one row.
What a download, storing and searching take is not in it: docs/performance.md has the last two.
"""

from __future__ import annotations

import argparse
import resource
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from inspector.matching import make_landmarks
from inspector.media import probe_media
from inspector.settings import Preset, SandboxChoice, Settings, load_settings
from inspector.worker.inspect import examine

_PRESETS = (Preset.ACCURATE, Preset.FAST)


class Spent(NamedTuple):
    media_s: float
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    files = parser.parse_args().files
    settings = load_settings(sandbox=SandboxChoice.NONE)  # what runs within bubblewrap is nobody's child
    rows: dict[tuple[int, str], list[Path]] = defaultdict(list)
    for path in files:
        media = probe_media(path, settings)
        rows[min(media.width, media.height), media.video_codec].append(path)
    print("lines  codec   files  media s   accurate   fast   (media seconds per CPU second)")
    for (lines, codec), same in sorted(rows.items()):
        spent = [measure(same, settings.model_copy(update={"preset": preset})) for preset in _PRESETS]
        speeds = "  ".join(f"{each.media_s / each.cpu_s:8.1f}" for each in spent)
        print(f"{lines:5}  {codec:6}  {len(same):5}  {spent[0].media_s:7.0f}  {speeds}", flush=True)


def measure(files: list[Path], settings: Settings) -> Spent:
    before_s = _cpu_s()
    media_s = 0.0
    for path in files:
        seen = examine(
            path,
            settings,
            recall=lambda essence: None,
            cancelled=lambda: False,
            on_progress=lambda progress: None,
        )
        make_landmarks(seen.fingerprint)
        media_s += seen.fingerprint.duration_s
    return Spent(media_s, _cpu_s() - before_s)


def _cpu_s() -> float:
    """Of this process, and of all of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
