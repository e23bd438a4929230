"""Contents with identical streams: known to be the same without looking at pictures.

Containers differ in where they let a stream begin: MP4 hides the encoder's leading silence before time 0,
Matroska and FLV begin with it, and everything else stands 20 to 80 ms later. So identical streams may lie
displaced against each other, but always as a whole.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final

import numpy as np

from inspector.model import Essence, Evidence, Fingerprint, Match, Segment, Verdict

#: Matroska and FLV round times to milliseconds, and ffmpeg rounds durations of sound packets besides.
JITTER_MS: Final = 3
#: Encoders lead in with up to 80 ms (Opus); more than that is an edit list that hides frames.
MOST_DISPLACED_MS: Final = 100
#: FLV counts its lead-in to the duration, Matroska the last packet.
MOST_LONGER_MS: Final = 100


def displacement_ms(a: Essence | None, b: Essence | None) -> int | None:
    """How much later than in a everything stands in b, if they hold the same streams; None if not surely."""
    if a is None or b is None or a.digest != b.digest or len(a.packet_times_ms) != len(b.packet_times_ms):
        return None
    apart = np.subtract(b.packet_times_ms, a.packet_times_ms)
    displaced = round(float(np.median(apart)))
    same_times = np.abs(apart - displaced).max() <= JITTER_MS and abs(displaced) <= MOST_DISPLACED_MS
    longer = b.duration_ms - a.duration_ms - displaced
    return displaced if same_times and abs(longer) <= MOST_LONGER_MS else None


def displace(seen: Fingerprint, by_ms: int) -> Fingerprint:
    """The fingerprint of the same streams where everything stands so much later."""
    if by_ms == 0:
        return seen
    values = {field.name: getattr(seen, field.name) for field in fields(seen) if field.name.endswith("_s")}
    later = {name: np.maximum(value + by_ms / 1000, 0.0) for name, value in values.items()}
    return replace(seen, **{**later, "duration_s": float(later["duration_s"])})


def displace_match(match: Match, by_ms: int) -> Match:
    """The match of a content, told of the same streams where everything stands so much later."""
    later_s = by_ms / 1000
    segments = tuple(
        replace(s, a_start_s=max(s.a_start_s + later_s, 0.0), a_end_s=s.a_end_s + later_s)
        for s in match.segments
    )
    return replace(match, segments=segments)


def match_streams(a: Fingerprint, b: Fingerprint, displaced_ms: int) -> Match:
    """The match of two contents with identical streams: all of one lies on all of the other."""
    a_start_s, b_start_s = max(-displaced_ms, 0) / 1000, max(displaced_ms, 0) / 1000
    length_s = min(a.duration_s - a_start_s, b.duration_s - b_start_s)
    whole = Segment(a_start_s, a_start_s + length_s, b_start_s, b_start_s + length_s, 1.0)
    return Match((whole,), 1.0, 1.0, Verdict.DUPLICATE, Evidence(identical_streams=True))
