"""Landmarks: small tokens by which the index finds contents that may share something with a query.

Four sources, each sparse in the index and dense in the query, so that both need not pick the same moments:

- cuts: the three intervals of four cuts out of five neighbouring ones. One missing or invented cut between
  them leaves other fours whole (Indyk, Iyengar & Shivakumar, "Finding pirated video sequences on the
  internet", 1999, used runs of shot lengths, which break).
- frames: the lowest DCT signs of a frame, in a coarse and a finer cut, put into the one of its eight mirrored
  and turned forms that all of them share. The index keeps frames at local maxima of novelty, which lie at the
  same moments in every copy; the query shows all its frames, and its own maxima also with each single bit
  turned over.
- motion: the same of what moves at these frames; captions, logos and bars, which stand still, are not in it.
  Parts of the picture (`model.View`) make the same tokens as whole ones, fewer of them, so that a crop or an
  inset meets what it was taken from, whichever of the two is in the index.
- sounds: most of a sub-fingerprint, kept at local maxima of its weight.

A token is short, so that copies keep it, and many unrelated contents share it. Beside each stand 32 further
bits that need not be equal, only alike: the index compares them on the spot, and most of the unrelated go
no further.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import cache
from itertools import combinations, product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.matching.guises import seen_as
from inspector.matching.hashes import VARIANTS, vary
from inspector.model import Fingerprint, FloatArray, HashArray, IntArray, Landmarks, View


class Kind(IntEnum):
    """What a token is made of; the topmost bits of the token, so that kinds never meet."""

    CUTS = 1
    COARSE_FRAME = 2
    FINE_FRAME = 3
    SOUND = 4
    COARSE_MOTION = 5
    FINE_MOTION = 6


class Nearly(NamedTuple):
    """How many are also asked for with bits turned over, and how many bits at most."""

    most: int
    bits: int


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
#: Kept frames are maxima among their neighbours, kept sounds among those within so many seconds.
FRAME_REACH_S: Final = 0.25
SOUND_REACH_S: Final = 0.5
#: Sounds that say less make no landmark; the query is a little more generous.
LEAST_WEIGHT: Final = 0.2
LEAST_QUERY_WEIGHT: Final = 0.1
#: The lower bands of a sub-fingerprint: they survive re-encoding best. What is checked is the sub-fingerprint
#: so many steps later (half a second).
SOUND_BITS: Final = 24
SOUND_LATER: Final = 4
#: Which four of five neighbouring cuts.
FOURS: Final = ((0, 1, 2, 3), (0, 1, 2, 4), (0, 1, 3, 4), (0, 2, 3, 4))
INTERVAL_S: Final = 0.06
LONGEST_INTERVAL_S: Final = 120.0
#: At most so many landmarks per second of video: of frames, motion and sounds the foremost are kept, of cuts
#: those that the tokens themselves decide on. A content may always have a handful: short ones would be lost
#: otherwise, and weigh nothing in an index of hours. Coarse tokens, which more unrelated contents share,
#: get no more than that: a long content is found by its many fine ones.
FRAMES_PER_S: Final = {
    Kind.COARSE_FRAME: 0.0,
    Kind.FINE_FRAME: 0.5,
    Kind.COARSE_MOTION: 0.0,
    Kind.FINE_MOTION: 0.25,
}
SOUNDS_PER_S: Final = 0.15
CUTS_PER_S: Final = 0.1
HANDFUL: Final = 14
#: So many foremost frames, and sounds, of a query are also asked for with up to so many bits turned over.
NEARLY: Final = {
    Kind.COARSE_FRAME: Nearly(10, bits=2),
    Kind.FINE_FRAME: Nearly(40, bits=1),
    Kind.COARSE_MOTION: Nearly(8, bits=2),
    Kind.SOUND: Nearly(30, bits=1),
}
#: Parts of the picture get this share of what the whole gets: few copies are crops or insets.
VIEW_SHARES: Final = {View.WHOLE: 1.0, View.CENTRE: 0.25, View.INSET: 0.15}


def make_landmarks(fingerprint: Fingerprint) -> Landmarks:
    """The landmarks by which the index knows a content: two a second at most, all kinds together."""
    f = fingerprint
    sounds = _telling_sounds(f, int(SOUNDS_PER_S * f.duration_s) + HANDFUL)
    cuts = _thinned(_cut_tokens(f.cuts_s, spread=False), int(CUTS_PER_S * f.duration_s) + HANDFUL)
    return _gather([cuts, *_kept_frames(f), _sound_tokens(f, sounds)])


def _kept_frames(f: Fingerprint) -> Iterator[Tokens]:
    """The foremost frames, and of each part of the picture the foremost frames that show it."""
    for view, share in VIEW_SHARES.items():
        seen = seen_as(f, view)
        for kind, per_s in FRAMES_PER_S.items():
            most = int(share * (per_s * f.duration_s + HANDFUL))
            yield _frame_tokens(seen, kind, _telling_frames(seen, most))


def query_landmarks(fingerprint: Fingerprint) -> Landmarks:
    """The landmarks to ask the index for: every frame, the foremost also nearly so; near-by intervals."""
    f = fingerprint
    audible = np.flatnonzero(f.sound_weight >= LEAST_QUERY_WEIGHT)
    return _gather(
        [
            _cut_tokens(f.cuts_s, spread=True),
            *_asked_frames(f),
            _sound_tokens(f, audible),
            _sound_tokens(f, _telling_sounds(f, NEARLY[Kind.SOUND].most), flips=_turned_over(Kind.SOUND)),
        ]
    )


def _asked_frames(f: Fingerprint) -> Iterator[Tokens]:
    """All frames and parts of them as they are, the foremost also nearly so."""
    for view, share in VIEW_SHARES.items():
        seen = seen_as(f, view)
        for kind in FASTEST:
            yield _frame_tokens(seen, kind, np.arange(len(seen.frame_times_s)))
            if kind in NEARLY:
                telling = _telling_frames(seen, int(share * NEARLY[kind].most))
                yield _frame_tokens(seen, kind, telling, flips=_turned_over(kind))


class Tokens(NamedTuple):
    """(n,) each: tokens, the further bits to be checked, and where they stand (s)."""

    tokens: IntArray
    checks: NDArray[np.uint32]
    times_s: FloatArray


def _gather(parts: Iterable[Tokens]) -> Landmarks:
    """All parts together, by time, each (token, time) once."""
    tokens, checks, times_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    times_ms = np.rint(times_s * 1000).astype(np.int64)
    _, first = np.unique(times_ms << 31 | tokens, return_index=True)
    return Landmarks(tokens[first], times_ms[first], checks[first])


def _token(kind: Kind, payload: HashArray) -> IntArray:
    """Kind and payload in one positive 32-bit number; longer payloads are mixed down to 28 bits."""
    if kind is not Kind.SOUND:
        payload = _mix(payload) >> np.uint64(64 - KIND_SHIFT)
    return (payload | np.uint64(kind << KIND_SHIFT)).astype(np.int64)


def _mix(x: HashArray) -> HashArray:
    """Scatter 64 bits evenly. Source: the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@cache
def _turned_over(kind: Kind) -> HashArray:
    """Masks of the bits to turn over in tokens of this kind."""
    bits = TOKEN_BITS.get(kind, range(SOUND_BITS))
    chosen = (some for count in range(1, NEARLY[kind].bits + 1) for some in combinations(bits, count))
    return np.array([_mask(some) for some in chosen], dtype=np.uint64)


_AS_IT_IS: Final = np.zeros(1, dtype=np.uint64)


def _telling_frames(f: Fingerprint, most: int) -> NDArray[np.intp]:
    """Indices of the foremost maxima of novelty."""
    return _foremost(f.frame_times_s, f.frame_novelty, FRAME_REACH_S, most)


def _frame_tokens(
    f: Fingerprint, kind: Kind, frames: NDArray[np.intp], *, flips: HashArray = _AS_IT_IS
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


def _telling_sounds(f: Fingerprint, most: int) -> NDArray[np.intp]:
    """Indices of the foremost maxima of what sounds say."""
    says = np.where(f.sound_weight >= LEAST_WEIGHT, f.sound_weight, 0)
    sounds = _foremost(f.sound_times_s, says, SOUND_REACH_S, most)
    return sounds[says[sounds] > 0]


def _sound_tokens(f: Fingerprint, sounds: NDArray[np.intp], *, flips: HashArray = _AS_IT_IS) -> Tokens:
    """One token for each sound and mask; the last sounds, with nothing behind them to check, make none."""
    sounds = sounds[sounds + SOUND_LATER < len(f.sound_hashes)]
    low = f.sound_hashes[sounds].astype(np.uint64) & _mask(range(SOUND_BITS))
    tokens = _token(Kind.SOUND, (low[:, None] ^ flips).ravel())
    later, times_s = f.sound_hashes[sounds + SOUND_LATER], f.sound_times_s[sounds]
    return Tokens(tokens, np.repeat(later, len(flips)), np.repeat(times_s, len(flips)))


def _cut_tokens(cuts_s: FloatArray, *, spread: bool) -> Tokens:
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


def _thinned(tokens: Tokens, most: int) -> Tokens:
    """The `most` tokens whose scattered values are smallest: two copies then keep the same ones."""
    kept = np.sort(np.argsort(_mix(tokens.tokens.astype(np.uint64)), kind="stable")[:most])
    return Tokens(tokens.tokens[kept], tokens.checks[kept], tokens.times_s[kept])


def _foremost(
    times_s: FloatArray, values: NDArray[np.float32], reach_s: float, most: int
) -> NDArray[np.intp]:
    """Indices of the values that no other within `reach_s` exceeds (of equal ones the first), the greatest
    `most`.
    """
    kept = np.ones(len(values), dtype=np.bool_)
    for step in range(1, len(values)):
        near = times_s[step:] - times_s[:-step] <= reach_s
        if not near.any():
            break
        kept[:-step] &= ~near | (values[:-step] >= values[step:])
        kept[step:] &= ~near | (values[step:] > values[:-step])
    maxima = np.flatnonzero(kept)
    return np.sort(maxima[np.argsort(-values[maxima], kind="stable")[:most]])
