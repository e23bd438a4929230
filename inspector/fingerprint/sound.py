"""Sound as 32-bit sub-fingerprints, with a weight that says how much each of them says.

Signs of differences between neighbouring bands and moments, after Haitsma & Kalker, "A highly robust audio
fingerprinting system", ISMIR 2002, with longer steps (0.12 s) so that the moments of two copies need not
coincide. Silence and steady noise do not change their spectrum: their weight is about 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.freezing import Log
from inspector.model import SOUND_RATE_HZ, FloatArray, SoundArray

WINDOW: Final = 4096  # samples (0.37 s, as in the paper)
HOP: Final = 1323  # samples (0.12 s)
HOP_S: Final = HOP / SOUND_RATE_HZ
BANDS: Final = 33
LOWEST_HZ: Final = 200.0
HIGHEST_HZ: Final = 4000.0
#: Power of a full-scale sine in our units is about 1; below this a band counts as silent (-66 dB).
SILENCE_POWER: Final = 2.5e-7
#: A moment is compared with the one so many hops earlier and later.
REACH: Final = 2
#: Mean change of a band against its neighbour (dB) that says nothing, and that says all. White noise changes
#: by 1.3 dB in this measure, brown noise by 1.7, speech and music by 2 to 6.
QUIET_DB: Final = 1.8
LIVELY_DB: Final = 4.0

BLOCK: Final = 128  # windows transformed together
CONTEXT: Final = REACH + 1  # rows needed on both sides of a moment


def _band_matrix() -> NDArray[np.float32]:
    """(bins, 33): which FFT bin belongs to which logarithmic band."""
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    band = np.digitize(np.fft.rfftfreq(WINDOW, 1 / SOUND_RATE_HZ), edges) - 1
    return np.asarray(band[:, None] == np.arange(BANDS), dtype=np.float32)


_MATRIX: Final = _band_matrix()
_TAPER: Final = np.hanning(WINDOW).astype(np.float32) / np.float32(32768 * WINDOW / 4)


def band_levels(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Level of each band in each window (dB). samples: at least one window.  Returns (windows, 33)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * _TAPER, axis=1)).astype(np.float32) ** 2
    return np.asarray(10 * np.log10(power @ _MATRIX + np.float32(SILENCE_POWER)), dtype=np.float32)


def hash_levels(levels: NDArray[np.float32]) -> tuple[SoundArray, NDArray[np.float32]]:
    """Sub-fingerprints and weights of all rows but the first and last `CONTEXT`. levels: (n, 33) dB."""
    smooth = (levels[:-2] + 2 * levels[1:-1] + levels[2:]) / 4
    slope = smooth[:, :-1] - smooth[:, 1:]
    change = slope[2 * REACH :] - slope[: -2 * REACH]
    bits = np.packbits(change > 0, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
    weight = (np.abs(change).mean(axis=1) - QUIET_DB) / (LIVELY_DB - QUIET_DB)
    return bits, np.clip(weight, 0, 1).astype(np.float32)


class SoundHasher:
    """Turns consecutive samples into sub-fingerprints; how they are cut into pieces does not matter."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.int16)
        self._levels = np.zeros((0, BANDS), np.float32)
        self._hashes: Log[SoundArray] = Log()
        self._weights: Log[NDArray[np.float32]] = Log()

    def add(self, samples: NDArray[np.int16]) -> None:
        self._samples = np.concatenate((self._samples, samples))
        block = (BLOCK - 1) * HOP + WINDOW
        while len(self._samples) >= block:
            self._take(band_levels(self._samples[:block]))
            self._samples = self._samples[BLOCK * HOP :]

    def finish(self) -> tuple[FloatArray, SoundArray, NDArray[np.float32]]:
        """Times (middle of the window, s), sub-fingerprints and weights of all that was added."""
        if len(self._samples) >= WINDOW:
            self._take(band_levels(self._samples))
        hashes: SoundArray = np.concatenate([np.zeros(0, np.uint32), *self._hashes])
        weights: NDArray[np.float32] = np.concatenate([np.zeros(0, np.float32), *self._weights])
        times = (np.arange(len(hashes), dtype=np.float64) + CONTEXT) * HOP_S + WINDOW / 2 / SOUND_RATE_HZ
        return times, hashes, weights

    def _take(self, levels: NDArray[np.float32]) -> None:
        self._levels = np.concatenate((self._levels, levels))
        if len(self._levels) > 2 * CONTEXT:
            hashes, weights = hash_levels(self._levels)
            self._hashes.append(hashes)
            self._weights.append(weights)
            self._levels = self._levels[-2 * CONTEXT :]
