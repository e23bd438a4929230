"""Which shots of a video are pictured: few are cut into parts, of many those that stand for the whole."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inspector.media.thumbnails import MOST_SHOTS, Shot, choose_shots


def test_every_shot_is_pictured_where_they_are_few() -> None:
    starts = {shot.start_s for shot in choose_shots([1.0, 5.0, 7.0], 12.0)}
    assert {0.0, 1.0, 5.0, 7.0} <= starts


def test_a_single_long_shot_is_cut_into_parts() -> None:
    assert choose_shots([], 80.0) == [Shot(10.0 * n, 10.0 * (n + 1)) for n in range(8)]


def test_a_moment_is_not_cut_into_parts() -> None:
    assert choose_shots([], 1.5) == [Shot(0.0, 1.5)]


@given(
    st.lists(st.floats(0.01, 5000), max_size=200, unique=True).map(sorted),
    st.floats(0.5, 6000),
)
def test_shots_are_few_in_order_and_within_the_video(cuts_s: list[float], duration_s: float) -> None:
    shots = choose_shots(cuts_s, duration_s)
    assert 1 <= len(shots) <= MOST_SHOTS
    assert all(shot.start_s < shot.end_s <= duration_s for shot in shots)
    assert all(one.end_s <= other.start_s for one, other in pairwise(shots))
