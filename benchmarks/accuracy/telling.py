"""Which videos hold nothing that could tell them from others: silence about them is the right answer.

    python -m benchmarks.accuracy.telling FILE…

The rule, by what a fingerprint holds: no cut; sound that says less than 2 s of speech or music would;
pictures that change by less than one frame's worth from beginning to end, as a whole and in what moves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from inspector.errors import InspectorError
from inspector.fingerprint import Fingerprinter
from inspector.matching.votes import freshness, motion_freshness
from inspector.media import decode_media, probe_media
from inspector.model import Fingerprint
from inspector.settings import Settings, load_settings

#: Weights of sub-fingerprints, 8.3 a second, that add up to less say nothing.
LEAST_SOUND: Final = 16.0
#: Freshness, in independent frames, of all pictures and of all motion.
LEAST_FRESHNESS: Final = 1.0


def tells_nothing(f: Fingerprint) -> bool:
    """Whether a content is a still, silent stretch, as the rule says."""
    moves = float((motion_freshness(f) * (f.motion_hashes != 0)).sum())
    return (
        not len(f.cuts_s)
        and float(f.sound_weight.sum()) < LEAST_SOUND
        and float(freshness(f).sum()) < LEAST_FRESHNESS
        and moves < LEAST_FRESHNESS
    )


def fingerprint_of(path: Path, settings: Settings) -> Fingerprint:
    """Decode a file. Raises MediaRejected, or a ToolFailed."""
    media = probe_media(path, settings, cancelled=lambda: False)
    fingerprinter = Fingerprinter(media.aspect)
    decoded = decode_media(
        path,
        media,
        settings,
        on_frames=fingerprinter.add_frames,
        on_sound=fingerprinter.add_sound,
        on_progress=lambda _: None,
        cancelled=lambda: False,
    )
    return fingerprinter.finish(decoded.duration_s, truncated=decoded.truncated)


def main() -> None:
    settings = load_settings()
    for path in map(Path, sys.argv[1:]):
        try:
            seen = fingerprint_of(path, settings)
        except InspectorError as exc:
            print(f"{path}: {exc}", file=sys.stderr)
            continue
        if tells_nothing(seen):
            print(path)


if __name__ == "__main__":
    main()
