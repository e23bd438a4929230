"""How the benchmark of cuts counts: what it calls found, found again, and false."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.composing import RATE, Film, compose
from benchmarks.cuts import count_common, judge

FILM = Film(
    Path("film.mp4"), 500, cuts=[100, 200], gradual=[(300, 320)], flashes=[(50, 52)], pans=[(400, 410)]
)


def found(*frames: float) -> tuple[int, ...]:
    return tuple(judge(FILM, [frame / RATE for frame in frames]))


@pytest.mark.parametrize("frame", [98, 100, 102])
def test_a_hard_cut_is_found_within_two_frames(frame: int) -> None:
    assert found(frame) == (1, 0, 0, 0, 0)


def test_a_dissolve_is_found_once_anywhere_in_it() -> None:
    assert found(310) == (0, 1, 0, 0, 0)
    assert found(305, 315) == (0, 1, 0, 0, 1)


def test_everything_else_is_false_by_where_it_lies() -> None:
    assert found(51, 405, 450) == (0, 0, 1, 1, 1)


def test_the_same_cut_is_not_found_twice() -> None:
    assert found(100, 101) == (1, 0, 0, 0, 1)


def test_each_time_has_one_partner_at_most() -> None:
    assert count_common([1.0, 1.05, 3.0], [1.02, 3.09, 9.0]) == 2


def test_a_composed_film_is_the_same_each_time_and_as_long_as_it_says(tmp_path: Path) -> None:
    films = [compose(tmp_path / f"{n}.mp4", [], shots=4, seed=3) for n in range(2)]
    assert films[0].frames == films[1].frames
    assert films[0].cuts == films[1].cuts
    assert films[0].path.read_bytes() == films[1].path.read_bytes()
    assert all(0 < cut < films[0].frames for cut in films[0].cuts)
