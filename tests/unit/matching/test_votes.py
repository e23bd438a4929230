"""Votes of long contents take little memory."""

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
