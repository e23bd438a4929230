"""Landmarks: small tokens by which the index finds contents that may share something with a query.

Four kinds, each sparse in the index and dense in the query, so that both need not pick the same moments:

- cuts: the two intervals of three cuts out of four neighbouring ones. One missing or invented cut between
  them leaves other triples whole (Indyk, Iyengar & Shivakumar, "Finding pirated video sequences on the
  internet", 1999, used runs of shot lengths, which break).
- frames: the lowest DCT signs of a frame, in a coarse and a finer cut, put into the one of its eight mirrored
  and turned forms that all of them share. The index keeps frames at local maxima of novelty, which lie at the
  same moments in every copy; the query shows all its frames, and its own maxima also with each single bit
  turned over.
- motion: the same of what moves at these frames; captions, logos and bars, which stand still, are not in it.
- sounds: most of a sub-fingerprint, kept at local maxima of its weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.matching.hashes import VARIANTS, vary
from inspector.model import Fingerprint, FloatArray, HashArray, IntArray, Landmarks


class Kind(IntEnum):
    """What a token is made of; the topmost byte of the token, so that kinds never meet."""

    CUTS = 1
    COARSE_FRAME = 2
    FINE_FRAME = 3
    SOUND = 4
    MOTION = 5


KIND_SHIFT: Final = 56


def _waves(most: int) -> np.uint64:
    """Bits of the coefficients with at most so many half-waves in both directions together, the mean left
    out.
    """
    return np.uint64(sum(1 << k for k in range(1, 64) if k // 8 + k % 8 <= most))


#: Found on edited copies: of the frames in the index, 57 % are among the query's maxima with all 27 fine bits
#: and 71 % with all or all but one; for the 20 coarse bits it is 63 % and 76 %. Of unrelated frames 1 in
#: 100,000 is alike in all fine bits but one, 1 in 10,000 in the coarse ones.
FRAME_BITS: Final = {Kind.COARSE_FRAME: _waves(5), Kind.FINE_FRAME: _waves(6), Kind.MOTION: _waves(6)}
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
#: The lower bands of a sub-fingerprint: they survive re-encoding best.
SOUND_BITS: Final = np.uint32(0xFFFFF)
#: Which three of four neighbouring cuts.
TRIPLES: Final = ((0, 1, 2), (0, 1, 3), (0, 2, 3))
INTERVAL_S: Final = 0.06
LONGEST_INTERVAL_S: Final = 120.0
#: At most so many landmarks per second of video: of frames, motion and sounds the foremost are kept, of cuts
#: those that the tokens themselves decide on. A content may always have a handful: short ones would be lost
#: otherwise, and weigh nothing in an index of hours.
FRAMES_PER_S: Final = 1.0
MOTIONS_PER_S: Final = 0.5
SOUNDS_PER_S: Final = 0.3
CUTS_PER_S: Final = 0.2
HANDFUL: Final = 3
HANDFUL_OF_FRAMES: Final = 12
#: Coarse tokens, which unrelated contents share more often, are kept of the foremost frames of each content
#: alone: a long one is found by its many fine ones.
COARSE_FRAMES: Final = 16
#: So many foremost frames of a query are also asked for with a bit turned over.
NEARLY_FRAMES: Final = 120


def make_landmarks(fingerprint: Fingerprint) -> Landmarks:
    """The landmarks by which the index knows a content: two a second at most, all kinds together."""
    f = fingerprint
    frames, coarse = (
        _telling_frames(f, most)
        for most in (int(FRAMES_PER_S * f.duration_s) + HANDFUL_OF_FRAMES, COARSE_FRAMES)
    )
    moving = _telling_frames(f, int(MOTIONS_PER_S * f.duration_s) + HANDFUL_OF_FRAMES)
    says = np.where(f.sound_weight >= LEAST_WEIGHT, f.sound_weight, 0)
    sounds = _foremost(f.sound_times_s, says, SOUND_REACH_S, int(SOUNDS_PER_S * f.duration_s) + HANDFUL)
    sounds = sounds[says[sounds] > 0]
    return _gather(
        [
            _thinned(_cut_tokens(f.cuts_s, spread=False), int(CUTS_PER_S * f.duration_s) + HANDFUL),
            _frame_tokens(Kind.FINE_FRAME, f.frame_times_s[frames], f.frame_hashes[frames]),
            _frame_tokens(Kind.COARSE_FRAME, f.frame_times_s[coarse], f.frame_hashes[coarse]),
            _frame_tokens(Kind.MOTION, f.frame_times_s[moving], f.motion_hashes[moving]),
            _sound_tokens(f.sound_times_s[sounds], f.sound_hashes[sounds]),
        ]
    )


def _telling_frames(f: Fingerprint, most: int) -> NDArray[np.intp]:
    """Indices of the foremost maxima of novelty."""
    return _foremost(f.frame_times_s, f.frame_novelty, FRAME_REACH_S, most)


def _hashes(f: Fingerprint, kind: Kind) -> HashArray:
    return f.motion_hashes if kind is Kind.MOTION else f.frame_hashes


def query_landmarks(fingerprint: Fingerprint) -> Landmarks:
    """The landmarks to ask the index for: every frame, the foremost also nearly so; near-by intervals."""
    f = fingerprint
    telling = _telling_frames(f, NEARLY_FRAMES)
    sounds = f.sound_weight >= LEAST_QUERY_WEIGHT
    frames = [
        tokens
        for kind in FRAME_BITS
        for tokens in (
            _frame_tokens(kind, f.frame_times_s, _hashes(f, kind)),
            _nearly(kind, f.frame_times_s[telling], _hashes(f, kind)[telling]),
        )
    ]
    return _gather(
        [
            _cut_tokens(f.cuts_s, spread=True),
            *frames,
            _sound_tokens(f.sound_times_s[sounds], f.sound_hashes[sounds]),
        ]
    )


Tokens = tuple[IntArray, FloatArray]  # tokens and where they stand (s)


def _gather(parts: Iterable[Tokens]) -> Landmarks:
    """All parts together, by time, each (token, time) once."""
    parts = list(parts)
    tokens = np.concatenate([p[0] for p in parts])
    times_ms = np.rint(np.concatenate([p[1] for p in parts]) * 1000).astype(np.int64)
    rows = np.unique(np.stack([times_ms, tokens], axis=1), axis=0)
    return Landmarks(tokens=rows[:, 1].copy(), times_ms=rows[:, 0].copy())


def _token(kind: Kind, payload: NDArray[np.unsignedinteger] | IntArray) -> IntArray:
    """Kind and payload in one positive number; payloads of more than 56 bits are mixed down to them."""
    wide = payload.astype(np.uint64)
    if kind in FRAME_BITS:
        wide = _mix(wide) >> np.uint64(64 - KIND_SHIFT)
    return (wide | np.uint64(kind << KIND_SHIFT)).astype(np.int64)


def _mix(x: HashArray) -> HashArray:
    """Scatter 64 bits evenly. Source: the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _frame_tokens(kind: Kind, times_s: FloatArray, hashes: HashArray) -> Tokens:
    """One token a frame; a frame without any structure makes none."""
    low = hashes & FRAME_BITS[kind]
    says = low != 0
    return _token(kind, _upright(low[says], FRAME_BITS[kind])), times_s[says]


def _nearly(kind: Kind, times_s: FloatArray, hashes: HashArray) -> Tokens:
    """The tokens of these frames with each single bit turned over."""
    bits = np.array([1 << k for k in range(64) if int(FRAME_BITS[kind]) >> k & 1], dtype=np.uint64)
    says = (hashes & FRAME_BITS[kind]) != 0
    near = (hashes[says][:, None] ^ bits).ravel()
    return _frame_tokens(kind, np.repeat(times_s[says], len(bits)), near)


def _upright(low: HashArray, bits: np.uint64) -> HashArray:
    """One and the same number for a picture in all its mirrored and turned forms.

    low: hashes of which only `bits` are looked at, as many in both directions.  Mirrored so that the lowest
    wave across is negative, and the lowest wave down; turned so that the number is the smaller one. One token
    then stands for eight, and a copy loses it no sooner than it loses any of the eight.
    """
    for wave, variant in _UPRIGHT:
        low = np.where((low & wave) != 0, vary(low, variant) & bits, low)
    return np.minimum(low, vary(low, _TURNED))


def _sound_tokens(times_s: FloatArray, hashes: NDArray[np.uint32]) -> Tokens:
    return _token(Kind.SOUND, hashes & SOUND_BITS), times_s


def _cut_tokens(cuts_s: FloatArray, *, spread: bool) -> Tokens:
    """Two quantised intervals each; with `spread` also the next nearest quanta, because quantising is
    brittle.
    """
    tokens, times = [np.zeros(0, np.int64)], [np.zeros(0)]
    for i, j, k in TRIPLES:
        count = len(cuts_s) - k
        if count <= 0:
            continue
        a, b, c = cuts_s[i : i + count], cuts_s[j : j + count], cuts_s[k : k + count]
        near = (b - a < LONGEST_INTERVAL_S) & (c - b < LONGEST_INTERVAL_S)
        for first in _quanta((b - a)[near], spread=spread):
            for second in _quanta((c - b)[near], spread=spread):
                tokens.append(_token(Kind.CUTS, (first << 16) | second))
                times.append(a[near])
    return np.concatenate(tokens), np.concatenate(times)


def _quanta(intervals_s: FloatArray, *, spread: bool) -> list[IntArray]:
    exact = intervals_s / INTERVAL_S
    nearest = np.rint(exact).astype(np.int64)
    if not spread:
        return [nearest]
    return [nearest, np.maximum(nearest + np.where(exact >= nearest, 1, -1), 0)]


def _thinned(tokens: Tokens, most: int) -> Tokens:
    """The `most` tokens whose scattered values are smallest: two copies then keep the same ones."""
    kept = np.sort(np.argsort(_mix(tokens[0].astype(np.uint64)), kind="stable")[:most])
    return tokens[0][kept], tokens[1][kept]


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
