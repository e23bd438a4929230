"""The verdict follows from how much of each content is aligned."""

from __future__ import annotations

import pytest

from inspector.matching import decide_verdict
from inspector.model import Segment, Verdict


def segment(a_start: float, a_end: float, b_start: float, b_end: float) -> Segment:
    return Segment(a_start, a_end, b_start, b_end, 1.0)


@pytest.mark.parametrize(
    ("segments", "a_s", "b_s", "verdict"),
    [
        ([segment(0, 10, 0, 10)], 10, 10, Verdict.DUPLICATE),
        ([segment(0.9, 10, 0, 9.1)], 10, 10, Verdict.DUPLICATE),
        ([segment(0, 10, 50, 60)], 10, 100, Verdict.CONTAINED),
        ([segment(50, 60, 0, 10)], 100, 10, Verdict.CONTAINED),
        ([segment(0, 5, 0, 5)], 10, 10, Verdict.PARTIAL),
        ([segment(5, 10, 0, 5), segment(0, 5, 5, 10)], 10, 10, Verdict.DUPLICATE),
        ([segment(0, 5, 0, 5), segment(0, 5, 5, 10)], 10, 10, Verdict.CONTAINED),  # half of a, twice in b
        ([segment(0, 8, 0, 10)], 8, 10, Verdict.DUPLICATE),  # at another speed
    ],
)
def test_verdict(segments: list[Segment], a_s: float, b_s: float, verdict: Verdict) -> None:
    assert decide_verdict(segments, a_s, b_s) is verdict
    assert decide_verdict([s.flipped() for s in segments], b_s, a_s) is verdict
