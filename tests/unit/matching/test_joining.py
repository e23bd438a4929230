"""Matches of neighbouring pieces, joined into the stretches that were on air."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.matching.joining import join
from inspector.model import Segment


def spans(segments: list[Segment]) -> list[tuple[float, ...]]:
    return [(s.a_start_s, s.a_end_s, s.b_start_s, s.b_end_s) for s in segments]


def test_what_goes_on_in_the_next_piece_is_one_stretch() -> None:
    pieces = [
        Segment(60, 70, 30.1, 40.1, 0.9),
        Segment(20.0, 29.6, 0, 9.6, 0.8),
        Segment(30.2, 60, 10.2, 40, 0.7),
    ]
    pieces[0] = Segment(60.4, 70, 40.4, 50, 0.9)
    joined = join(pieces)
    assert spans(joined) == [(20.0, 70, 0, 50)]
    assert joined[0].score == 0.7


@pytest.mark.parametrize(
    "other",
    [
        Segment(30, 40, 0, 10, 0.9),  # shown again from its beginning
        Segment(30, 40, 12, 22, 0.9),  # something left out of it
        Segment(33, 40, 13, 20, 0.9),  # something between
    ],
)
def test_what_does_not_go_on_is_another_stretch(other: Segment) -> None:
    assert len(join([Segment(20, 30, 0, 10, 0.9), other])) == 2


@given(
    st.lists(st.floats(3, 40), min_size=2, max_size=8),
    st.floats(0, 500),
    st.floats(0, 500),
    st.sampled_from([1.0, 0.96, 1.05]),
    st.floats(0, 1.5),
)
def test_however_a_stretch_is_cut_into_pieces_it_is_told_whole(
    lengths: list[float], a_s: float, b_s: float, speed: float, hidden_s: float
) -> None:
    """hidden_s: what is not seen before each join."""
    ends = [a_s]
    for length in lengths:
        ends.append(ends[-1] + length)
    parts = [
        Segment(start, end - hidden_s, b_s + (start - a_s) * speed, b_s + (end - hidden_s - a_s) * speed, 0.9)
        for start, end in pairwise(ends)
    ]
    (whole,) = join(reversed(parts))
    assert (whole.a_start_s, whole.b_start_s) == (parts[0].a_start_s, parts[0].b_start_s)
    assert (whole.a_end_s, whole.b_end_s) == (parts[-1].a_end_s, parts[-1].b_end_s)
