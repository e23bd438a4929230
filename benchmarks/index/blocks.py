"""Many films out of few: blocks of five seconds of landmarks, drawn anew for each.

Making every film from scratch would take hours. A block of one film at another place of another film leaves
all expectations as they are: a query that has nothing to do with either meets as many postings, as often
several at once, and the common tokens stay common. Only the blocks are not unique, so what a query happens to
share with one of them it shares with all their films: a little worse than real.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.index.films import DURATION_S
from inspector.model import Landmarks

BLOCK_MS: Final = 5000
BLOCKS: Final = int(DURATION_S * 1000) // BLOCK_MS


class Blocks:
    """The landmarks of films, cut into blocks."""

    def __init__(self, films: Sequence[Landmarks]) -> None:
        self._tokens = np.concatenate([film.tokens for film in films])
        self._checks = np.concatenate([film.checks for film in films])
        times_ms = np.concatenate([film.times_ms for film in films])
        first = np.repeat(np.arange(len(films)) * BLOCKS, [len(film.tokens) for film in films])
        block = first + np.minimum(times_ms // BLOCK_MS, BLOCKS - 1)
        self._times_ms = times_ms % BLOCK_MS
        self._starts = np.searchsorted(block, np.arange(len(films) * BLOCKS + 1))

    def draw(self, seed: int) -> Landmarks:
        """The landmarks of the film with this number."""
        chosen = np.random.default_rng((seed, 5)).integers(len(self._starts) - 1, size=BLOCKS)
        counts = np.diff(self._starts)[chosen]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.repeat(self._starts[:-1][chosen], counts) + within
        times_ms = self._times_ms[rows] + np.repeat(np.arange(BLOCKS) * BLOCK_MS, counts)
        return Landmarks(self._tokens[rows], times_ms, self._checks[rows])
