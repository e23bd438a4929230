"""How much an observation speaks for a copy: log-likelihood ratios against chance, in nats.

Chance is measured, not assumed: what two frames differ by when they are *not* aligned is taken from the same
two contents, off the line. So a fixed camera, which resembles itself at every offset, says nothing about any
of them, while a film, which resembles itself nowhere else, says much. A general distribution for unrelated
pictures fills in where the contents are too short to tell. *That* the place is the same still speaks for a
copy (`presence_ratio`); what then tells two takes of one place apart is what moves (`evidence`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float32]

#: Hamming distances of unrelated frames (63 bits): mean and deviation over five million pairs of unrelated
#: clips; what moves differs as much.
CHANCE_BITS: Final = 31.4
CHANCE_SPREAD: Final = 4.0
#: Hamming distances of aligned copies: a mixture over mild, middling, heavy and ruinous edits (share, mean,
#: deviation).
COPY_MIXTURE: Final = ((0.55, 1.0, 3.0), (0.2, 10.0, 4.5), (0.15, 20.0, 4.5), (0.1, 30.0, 5.0))
#: Width of the kernel that smooths measured chance, and the share of general chance mixed in.
KERNEL_BITS: Final = 2.0
GENERAL_SHARE: Final = 0.05
#: No single observation says more than this, for or against.
MOST_NATS: Final = 8.0
LEAST_NATS: Final = -4.0
#: ... except that a picture is there at all, which is said once a pair.
MOST_PRESENCE_NATS: Final = 11.0

#: The same for sounds (32 bits; a deviation of 2.98 was measured, but music repeats itself).
SOUND_CHANCE_BITS: Final = 16.0
SOUND_CHANCE_SPREAD: Final = 3.3
SOUND_COPY: Final = ((0.7, 3.0, 3.0), (0.3, 8.0, 4.0))


def _normal(
    x: NDArray[np.floating], mean: NDArray[np.floating] | float, spread: float
) -> NDArray[np.floating]:
    return np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * 2.5066)


def _mixture(x: FloatMatrix, parts: tuple[tuple[float, float, float], ...]) -> NDArray[np.floating]:
    """Density of a mixture of normals: (share, mean, deviation) each."""
    return np.asarray(np.sum([share * _normal(x, mean, spread) for share, mean, spread in parts], axis=0))


def frame_ratio(bits: FloatMatrix, chance: FloatMatrix, usual: float) -> NDArray[np.floating]:
    """Log-likelihood ratio of aligned frames.

    bits: (n,) distances on the line.  chance: (n, k) distances of the same frames off the line; NaN where
    there is none.  usual: the distance that is usual along this line, because an edit moves all frames alike.
    """
    copy = 0.5 * _mixture(bits, COPY_MIXTURE)
    copy = copy + 0.5 * _normal(bits, usual, CHANCE_SPREAD)
    kernel = _normal(bits[:, None], chance, KERNEL_BITS)
    known = np.isfinite(chance).sum(axis=1)
    measured = np.nansum(kernel, axis=1) / np.maximum(known, 1)
    general = _normal(bits, CHANCE_BITS, CHANCE_SPREAD)
    share = np.where(known > 0, known / (known + 4.0) * (1 - GENERAL_SHARE), 0.0)
    return _bounded(copy, share * measured + (1 - share) * general)


def presence_ratio(bits: FloatMatrix) -> NDArray[np.floating]:
    """Log-likelihood ratio against unrelated pictures alone: what one frame says about *presence*."""
    copy = _mixture(bits, COPY_MIXTURE)
    return _bounded(copy, _normal(bits, CHANCE_BITS, CHANCE_SPREAD), most=MOST_PRESENCE_NATS)


def sound_ratio(bits: FloatMatrix, chance: FloatMatrix) -> NDArray[np.floating]:
    """As `frame_ratio`, for sounds."""
    copy = _mixture(bits, SOUND_COPY)
    known = np.isfinite(chance).sum(axis=1)
    measured = np.nansum(_normal(bits[:, None], chance, KERNEL_BITS), axis=1) / np.maximum(known, 1)
    share = known / (known + 4.0) * (1 - GENERAL_SHARE)
    general = _normal(bits, SOUND_CHANCE_BITS, SOUND_CHANCE_SPREAD)
    return _bounded(copy, share * measured + (1 - share) * general)


def cut_ratio(matched: int, missed_a: int, missed_b: int, chance: float) -> float:
    """Log-likelihood ratio of cuts: `chance` is the probability that some cut lies close by accident.

    A cut is found again with probability 0.85 (measured over all edits), so a missing one speaks against a
    copy.
    """
    found = 0.85
    chance = min(max(chance, 0.005), 0.95)
    return matched * float(np.log(found / chance)) + (missed_a + missed_b) / 2 * float(
        np.log((1 - found) / (1 - chance))
    )


def _bounded(
    copy: NDArray[np.floating], chance: NDArray[np.floating], most: float = MOST_NATS
) -> NDArray[np.floating]:
    return np.clip(np.log((copy + 1e-12) / (chance + 1e-12)), LEAST_NATS, most)
