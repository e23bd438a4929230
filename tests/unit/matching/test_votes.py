"""Votes of long contents take little memory, and come from all of it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np

from inspector.matching.votes import MOST_COLUMNS, MOST_ROWS, picture_votes
from inspector.model import Fingerprint
from tests.unit.matching.films import make_film


def long_film(seed: int, frames: int) -> Fingerprint:
    """So many hashed frames that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    hashes, motion = rng.integers(0, 2**63, size=(2, frames), dtype=np.uint64)
    return replace(
        make_film(seed, 24.0),
        frame_times_s=np.arange(frames) / 5,
        frame_hashes=hashes,
        motion_hashes=motion,
        frame_novelty=rng.random(frames, dtype=np.float32),
    )


def test_pairs_are_looked_at_some_at_a_time() -> None:
    one, other = long_film(1, MOST_ROWS), long_film(2, MOST_COLUMNS)
    tracemalloc.start()
    try:
        votes = picture_votes(one, other)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(votes.weight) > 1000
    assert peak < 60e6


def test_cuts_late_in_a_long_film_vote_too() -> None:
    cuts_s = np.arange(3, 6000, 3, dtype=np.float64)
    film = replace(make_film(1, 24.0), cuts_s=cuts_s, duration_s=6000.0)
    assert picture_votes(make_film(2, 24.0), film).b_s.max() == cuts_s[-1]
