"""Tokens: short numbers made of cuts, pictures and sounds, that copies keep and few others share.

Beside each token stand up to 32 further bits (fine motion has 28, cuts none) that need not be equal, only
alike (`model.MOST_CHECKED_BITS`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cache
from itertools import combinations, product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.matching.hashes import VARIANTS, vary
from inspector.model import Fingerprint, FloatArray, HashArray, IntArray, Landmarks


class Kind(IntEnum):
    """What a token is made of; the topmost bits of the token, so that kinds never meet."""

    CUTS = 1
    COARSE_FRAME = 2
    FINE_FRAME = 3
    SOUND = 4
    COARSE_MOTION = 5
    FINE_MOTION = 6


KIND_SHIFT: Final = 28


def _waves(least: int, most: int) -> list[int]:
    """Bits of the coefficients with so many half-waves in both directions together, slow ones first."""
    waves = {bit: bit // 8 + bit % 8 for bit in range(1, 64)}
    return sorted(
        (bit for bit, count in waves.items() if least <= count <= most), key=lambda b: (waves[b], b)
    )


def _mask(bits: Sequence[int]) -> np.uint64:
    return np.uint64(sum(1 << bit for bit in bits))


#: The most half-waves of the coefficients whose signs make a token.
FASTEST: Final = {Kind.COARSE_FRAME: 5, Kind.FINE_FRAME: 6, Kind.COARSE_MOTION: 5, Kind.FINE_MOTION: 7}
#: Those signs; and the next 32, which are checked where tokens are equal.
TOKEN_BITS: Final = {kind: _waves(1, most) for kind, most in FASTEST.items()}
CHECKED_BITS: Final = {kind: _waves(most + 1, 14)[:32] for kind, most in FASTEST.items()}
MOVING: Final = (Kind.COARSE_MOTION, Kind.FINE_MOTION)
#: Hashes with fewer bits set show nothing (black, white, a fade): many contents have such frames.
LEAST_STRUCTURE: Final = 8
#: The lowest wave across tells mirrored pictures apart, the lowest wave down those upside down.
_UPRIGHT: Final = tuple(
    (np.uint64(wave), VARIANTS.index(lying)) for wave, lying in ((1 << 1, (0, 0, 1)), (1 << 8, (0, 1, 0)))
)
_TURNED: Final = VARIANTS.index((1, 0, 0))
#: The lower bands of a sub-fingerprint: they survive re-encoding best. What is checked is the sub-fingerprint
#: so many steps later (half a second).
SOUND_BITS: Final = 24
SOUND_LATER: Final = 4
#: Which four of five neighbouring cuts: all that begin with the first, for the rest is the next cut's. A copy
#: that lost the second, third or fourth of the five still makes one of them.
FOURS: Final = ((0, 1, 2, 3), (0, 1, 2, 4), (0, 1, 3, 4), (0, 2, 3, 4))
INTERVAL_S: Final = 0.06
LONGEST_INTERVAL_S: Final = 120.0
#: Turns no bit over.
AS_IT_IS: Final = np.zeros(1, dtype=np.uint64)


class Tokens(NamedTuple):
    """(n,) each: tokens, the further bits to be checked, and where they stand (s)."""

    tokens: IntArray
    checks: NDArray[np.uint32]
    times_s: FloatArray

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Tokens:
        """The chosen ones."""
        return Tokens(self.tokens[chosen], self.checks[chosen], self.times_s[chosen])


def gather(parts: Iterable[Tokens]) -> Landmarks:
    """All parts together, by time, each (token, time) once."""
    tokens, checks, times_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    times_ms = np.rint(times_s * 1000).astype(np.int64)
    _, first = np.unique(times_ms << 31 | tokens, return_index=True)
    return Landmarks(tokens[first], times_ms[first], checks[first])


def _token(kind: Kind, payload: HashArray) -> IntArray:
    """Kind and payload in one positive 32-bit number; all payloads but those of sounds are scattered over
    28 bits.
    """
    if kind is not Kind.SOUND:
        payload = _mix(payload) >> np.uint64(64 - KIND_SHIFT)
    return (payload | np.uint64(kind << KIND_SHIFT)).astype(np.int64)


def _mix(x: HashArray) -> HashArray:
    """Scatter 64 bits evenly. Source: the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@cache
def turned_over(kind: Kind, most: int) -> HashArray:
    """Masks of up to so many bits to turn over in tokens of this kind."""
    bits = TOKEN_BITS.get(kind, range(SOUND_BITS))
    chosen = (some for count in range(1, most + 1) for some in combinations(bits, count))
    return np.array([_mask(some) for some in chosen], dtype=np.uint64)


def frame_tokens(
    f: Fingerprint, kind: Kind, frames: NDArray[np.intp], *, flips: HashArray = AS_IT_IS
) -> Tokens:
    """One token for each frame and mask of bits to turn over; a frame without structure makes none."""
    hashes = (f.motion_hashes if kind in MOVING else f.frame_hashes)[frames]
    shows = np.bitwise_count(hashes) >= LEAST_STRUCTURE
    hashes = _upright((hashes[shows][:, None] ^ flips).ravel(), _mask(TOKEN_BITS[kind]))
    times_s = np.repeat(f.frame_times_s[frames][shows], len(flips))
    return Tokens(
        _token(kind, hashes & _mask(TOKEN_BITS[kind])), _packed(hashes, CHECKED_BITS[kind]), times_s
    )


def _packed(hashes: HashArray, bits: Sequence[int]) -> NDArray[np.uint32]:
    """These bits of each hash, side by side."""
    picked = (hashes[:, None] >> np.array(bits, dtype=np.uint64)) & np.uint64(1)
    places = np.uint64(1) << np.arange(len(bits), dtype=np.uint64)
    return np.asarray((picked * places).sum(axis=1), dtype=np.uint32)


def _upright(hashes: HashArray, bits: np.uint64) -> HashArray:
    """One and the same hash for a picture in all its mirrored and turned forms, by a look at `bits` alone.

    Mirrored so that the lowest wave across is negative, and the lowest wave down; turned so that the number
    is the smaller one. One token then stands for eight, and a copy loses it no sooner than any of the eight.
    """
    for wave, variant in _UPRIGHT:
        hashes = np.where((hashes & wave) != 0, vary(hashes, variant), hashes)
    turned = vary(hashes, _TURNED)
    return np.where((turned & bits) < (hashes & bits), turned, hashes)


def sound_tokens(f: Fingerprint, sounds: NDArray[np.intp], *, flips: HashArray = AS_IT_IS) -> Tokens:
    """One token for each sound and mask; the last sounds, with nothing behind them to check, make none."""
    sounds = sounds[sounds + SOUND_LATER < len(f.sound_hashes)]
    low = f.sound_hashes[sounds].astype(np.uint64) & _mask(range(SOUND_BITS))
    tokens = _token(Kind.SOUND, (low[:, None] ^ flips).ravel())
    later, times_s = f.sound_hashes[sounds + SOUND_LATER], f.sound_times_s[sounds]
    return Tokens(tokens, np.repeat(later, len(flips)), np.repeat(times_s, len(flips)))


def cut_tokens(cuts_s: FloatArray, *, spread: bool) -> Tokens:
    """Three quantised intervals each; with `spread` also the next nearest quanta, because quantising is
    brittle. There is nothing to check: all of it is in the token.
    """
    tokens, times = [np.zeros(0, np.int64)], [np.zeros(0)]
    for four in FOURS:
        count = max(len(cuts_s) - four[-1], 0)
        cuts = np.stack([cuts_s[k : k + count] for k in four])
        intervals = np.diff(cuts, axis=0)
        near = (intervals < LONGEST_INTERVAL_S).all(axis=0)
        first, second, third = (_quanta(interval[near], spread=spread) for interval in intervals)
        for a, b, c in product(first, second, third):
            tokens.append(_token(Kind.CUTS, (a << np.uint64(40)) | (b << np.uint64(20)) | c))
            times.append(cuts[0, near])
    places = np.concatenate(tokens)
    return Tokens(places, np.zeros(len(places), np.uint32), np.concatenate(times))


def _quanta(intervals_s: FloatArray, *, spread: bool) -> list[HashArray]:
    exact = intervals_s / INTERVAL_S
    nearest = np.rint(exact)
    both = [nearest, np.maximum(nearest + np.where(exact >= nearest, 1, -1), 0)]
    return [quanta.astype(np.uint64) for quanta in both[: 1 + spread]]


def thinned(tokens: Tokens, most: int) -> Tokens:
    """The `most` tokens whose scattered values are smallest: two copies then keep the same ones."""
    kept = np.sort(np.argsort(_mix(tokens.tokens.astype(np.uint64)), kind="stable")[:most])
    return Tokens(tokens.tokens[kept], tokens.checks[kept], tokens.times_s[kept])
