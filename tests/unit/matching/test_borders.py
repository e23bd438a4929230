"""A copied stretch begins and ends at cuts that only one side has, right to the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inspector.matching import compare
from inspector.matching.borders import find_borders, lone_cuts
from inspector.matching.lines import Line
from inspector.model import Fingerprint
from tests.unit.matching.films import cut_out, make_film, splice

FILM = make_film(1)
LINE = Line(1.0, -3.0)


def with_cuts(*cuts_s: float) -> Fingerprint:
    return replace(cut_out(FILM, 0.0, 30.0), cuts_s=np.array(cuts_s, dtype=np.float64))


def test_a_cut_of_the_host_is_the_border() -> None:
    a, b = with_cuts(6.04, 9.0, 16.36), with_cuts(6.0)
    assert find_borders(a, b, LINE, 6.3, 16.2) == pytest.approx((6.04, 16.36))


def test_a_cut_of_the_other_side_counts_on_the_line() -> None:
    assert find_borders(with_cuts(), with_cuts(3.04), LINE, 6.3, 16.2)[0] == pytest.approx(6.04)


def test_a_cut_that_both_have_is_no_border() -> None:
    a, b = with_cuts(6.34), with_cuts(3.34)
    assert find_borders(a, b, LINE, 6.2, 16.2) == pytest.approx((6.1, 16.4))


def test_without_cuts_the_border_lies_just_beyond_the_agreeing_frames() -> None:
    assert find_borders(with_cuts(), with_cuts(), LINE, 6.2, 16.2) == pytest.approx((6.1, 16.4))


def test_what_is_only_heard_reaches_as_far_as_its_sounds_were_made_from() -> None:
    a, b = with_cuts(6.04, 16.36), with_cuts()
    assert find_borders(a, b, LINE, 6.2, 16.2, seen=False) == pytest.approx((5.8, 16.6))


def test_borders_lie_within_both_contents() -> None:
    assert find_borders(with_cuts(), with_cuts(), LINE, 3.05, 29.95) == pytest.approx((3.0, 30.0))


def test_lone_cuts_are_those_without_a_partner() -> None:
    assert lone_cuts(np.array([1.0, 2.0, 5.0]), np.array([1.05, 3.0])).tolist() == [2.0, 3.0, 5.0]
    assert lone_cuts(np.zeros(0), np.array([1.0])).tolist() == [1.0]


def test_a_spliced_clip_is_cut_out_to_the_frame() -> None:
    host = splice(make_film(5, 11.03), cut_out(FILM, 20.07, 33.41), make_film(6, 9.0))
    match = compare(host, FILM)
    assert match is not None
    segment = match.segments[0]
    assert (segment.a_start_s, segment.a_end_s) == pytest.approx((11.03, 24.37), abs=0.04)
