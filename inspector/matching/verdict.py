"""What a match amounts to: who covers how much of whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from inspector.model import Segment, Verdict

#: This share of a content counts as all of it (credits cut off, a leader added).
ALL_OF_IT: Final = 0.9


def decide_verdict(segments: Sequence[Segment], a_duration_s: float, b_duration_s: float) -> Verdict:
    """`duplicate` if nearly all of both is aligned, `contained` if nearly all of the shorter, else
    `partial`.
    """
    a = covered_s((s.a_start_s, s.a_end_s) for s in segments) >= ALL_OF_IT * a_duration_s
    b = covered_s((s.b_start_s, s.b_end_s) for s in segments) >= ALL_OF_IT * b_duration_s
    if a and b:
        return Verdict.DUPLICATE
    if (a_duration_s <= b_duration_s and a) or (b_duration_s <= a_duration_s and b):
        return Verdict.CONTAINED
    return Verdict.PARTIAL


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that the spans cover together, overlaps counted once."""
    total, reach = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total
