"""Matches across the joins of a recording: what lies on one line in neighbouring pieces is one stretch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from inspector.model import Segment

#: Stretches of neighbouring pieces may be so far apart: near a join each is seen a little less well.
JOINED_S: Final = 2.0
#: Lines are the same if they differ by no more than this where both are seen; joins cost no frame.
SAME_LINE_S: Final = 0.3


def join(segments: Iterable[Segment]) -> list[Segment]:
    """Segments with the same other, in stream time on both sides, joined where they go on.

    Returns them by their beginning. A joined one has the score of the longer part.
    """
    joined: list[Segment] = []
    for segment in sorted(segments, key=lambda s: s.order):
        before = next((i for i, other in enumerate(joined) if _goes_on(other, segment)), None)
        if before is None:
            joined.append(segment)
        else:
            joined[before] = _union(joined[before], segment)
    return sorted(joined, key=lambda s: s.order)


def _goes_on(one: Segment, other: Segment) -> bool:
    """Whether a segment continues another, or overlaps it, on the same line."""
    near = other.a_start_s - one.a_end_s <= JOINED_S
    expected_s = one.b_end_s + (other.a_start_s - one.a_end_s) * one.speed
    return near and abs(other.b_start_s - expected_s) <= SAME_LINE_S


def _union(one: Segment, other: Segment) -> Segment:
    longer = max(one, other, key=lambda s: s.a_end_s - s.a_start_s)
    last = max(one, other, key=lambda s: s.a_end_s)
    return Segment(one.a_start_s, last.a_end_s, one.b_start_s, last.b_end_s, longer.score)
