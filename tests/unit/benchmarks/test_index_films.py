"""The benchmark of the index is only as good as its films: new, repeatable, and found again when copied."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.index.blocks import BLOCK_MS, Blocks
from benchmarks.index.films import DURATION_S, cut_out, glue, make_copy, make_film, make_footage
from inspector.matching import make_landmarks, query_landmarks
from inspector.model import IntArray
from tests.unit.matching import films

FOOTAGE = make_footage([films.make_film(seed, 40.0, shot_s=3.0) for seed in range(20)])
FILM = make_film(FOOTAGE, 1)


def shared(one: IntArray, other: IntArray) -> int:
    return len(np.intersect1d(one, other))


def test_a_film_is_the_same_every_time_and_no_two_are_alike() -> None:
    tokens = [make_landmarks(make_film(FOOTAGE, number)).tokens for number in (1, 1, 2, 3)]
    assert np.array_equal(tokens[0], tokens[1])
    assert max(shared(a, b) for a, b in pairwise(tokens[1:])) < 0.2 * len(tokens[0])


def test_a_film_runs_on_in_time_for_as_long_as_asked() -> None:
    assert abs(FILM.duration_s - DURATION_S) <= 1.0
    for times in (FILM.cuts_s, FILM.frame_times_s, FILM.sound_times_s):
        assert (np.diff(times) >= 0).all()
        assert times[-1] <= FILM.duration_s


def test_hashes_have_the_bits_of_the_clips_as_often_as_they_have() -> None:
    drawn = FOOTAGE.frames.draw(np.random.default_rng(0), 20_000)
    seen = np.concatenate([clip.frame_hashes for clip in FOOTAGE.clips])
    places = np.arange(64, dtype=np.uint64)
    shares = [((hashes[:, None] >> places) & np.uint64(1)).mean(axis=0) for hashes in (drawn, seen)]
    assert np.abs(shares[0] - shares[1]).max() < 0.15


def test_a_copy_asks_for_landmarks_of_its_source_and_a_stranger_for_few() -> None:
    kept = make_landmarks(FILM).tokens
    copies = [shared(kept, query_landmarks(make_copy(FOOTAGE, FILM, seed)).tokens) for seed in range(5)]
    strangers = [shared(kept, query_landmarks(make_film(FOOTAGE, 100 + seed)).tokens) for seed in range(5)]
    assert np.median(copies) > 3 * max(strangers)


def test_cutting_and_glueing_give_the_film_back() -> None:
    halves = cut_out(FILM, 0.0, 150.0), cut_out(FILM, 150.0, FILM.duration_s)
    again = glue(halves)
    assert np.array_equal(again.frame_hashes, FILM.frame_hashes)
    assert np.allclose(again.frame_times_s, FILM.frame_times_s)


def test_blocks_keep_how_many_landmarks_there_are_and_which() -> None:
    made = [make_landmarks(make_film(FOOTAGE, number)) for number in range(4)]
    blocks = Blocks(made)
    drawn = [blocks.draw(seed) for seed in range(40)]
    assert np.isin(drawn[0].tokens, np.concatenate([film.tokens for film in made])).all()
    assert (np.diff(drawn[0].times_ms // BLOCK_MS) >= 0).all()
    usual = np.mean([len(film.tokens) for film in made])
    assert abs(np.mean([len(film.tokens) for film in drawn]) / usual - 1) < 0.1
