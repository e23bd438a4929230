"""Pairs of frames of two contents that look more alike than these two usually do, of motions and sounds that
are more alike than unrelated ones are, and of all cuts.

Each votes for the lines through it (`inspector.matching.proposals`). All pairs are looked at, by millions, so
distances stay bytes, and what a hash usually differs by is had from shares of bits, without the pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.matching.hashes import distance
from inspector.model import Fingerprint, FloatArray, HashArray

#: What takes part: the most novel frames, the weightiest sounds, cuts evenly chosen. Bounds the work for long
#: contents.
MOST_ROWS: Final = 1500
MOST_COLUMNS: Final = 12000
MOST_VOTES: Final = 60000
MOST_CUT_ROWS: Final = 300
MOST_CUT_COLUMNS: Final = 3000
ROWS_AT_ONCE: Final = 128  # of rows and columns: 12 MB
#: A frame pair votes if it is so many bits closer than its row and column are on average: two deviations.
LEAST_CONTRAST: Final = 9.0
#: A pair of moving pictures votes if it differs in no more bits; 1 in 210 unrelated pairs does.
MOST_MOTION_BITS: Final = 20
#: A sound pair votes if it differs in no more bits; 1 in 590 unrelated pairs does.
MOST_SOUND_BITS: Final = 7
LEAST_SOUND_WEIGHT: Final = 0.15
#: A pair of cuts votes with this, and with one more for each bit the pictures at them are closer than
#: `ALIKE_BITS` (1 in 140 unrelated pairs is).
CUT_VOTE: Final = 4.0
ALIKE_BITS: Final = 22
#: Frames with fewer different bits are counterparts (1 in 8,000 unrelated pairs is); so many of the most
#: novel ones are asked.
COUNTERPART_BITS: Final = 16
COUNTERPART_ROWS: Final = 600


class Votes(NamedTuple):
    """Points of the plane that speak for a line through them; (n,) each, times in seconds."""

    a_s: FloatArray
    b_s: FloatArray
    weight: FloatArray

    def between(self, start_s: float, end_s: float) -> Votes:
        """Those of a's times in [start_s, end_s)."""
        return self.only((self.a_s >= start_s) & (self.a_s < end_s))

    def only(self, chosen: NDArray[np.bool_]) -> Votes:
        """The chosen ones."""
        return Votes(self.a_s[chosen], self.b_s[chosen], self.weight[chosen])


def freshness(f: Fingerprint) -> NDArray[np.float32]:
    """How much of an independent observation each hashed frame is: (f,), 0..1.

    As much as its hash differs from the one before, for unrelated hashes differ in half of their bits; but no
    more than the pixels changed, because in a dull picture noise alone turns bits over.
    """
    turned = distance(f.frame_hashes, np.concatenate((f.frame_hashes[:1], f.frame_hashes[:-1])))
    return np.minimum(np.minimum(1, turned / 31), 5 * f.frame_novelty)


def motion_freshness(f: Fingerprint) -> NDArray[np.float32]:
    """The same for motion: as much as its hash differs from the one before; (f,), 0..1."""
    turned = distance(f.motion_hashes, np.concatenate((f.motion_hashes[:1], f.motion_hashes[:-1])))
    return np.minimum(1, turned / 31)


def picture_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    """Votes of frames, of what moves in them, and of cuts."""
    return join_votes(_frame_votes(a, b), _motion_votes(a, b), _cut_votes(a, b))


def sound_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    rows, columns = (
        indices[f.sound_weight[indices] >= LEAST_SOUND_WEIGHT]
        for f, indices in ((a, _most(a.sound_weight, MOST_ROWS)), (b, _most(b.sound_weight, MOST_COLUMNS)))
    )
    i, j, bits = _alike(a.sound_hashes[rows], b.sound_hashes[columns], MOST_SOUND_BITS)
    rows, columns = rows[i], columns[j]
    weight = (MOST_SOUND_BITS + 2 - bits) * np.minimum(a.sound_weight[rows], b.sound_weight[columns])
    return _strongest(a.sound_times_s[rows], b.sound_times_s[columns], weight)


def counterpart_votes(a: Fingerprint, b: Fingerprint) -> tuple[Votes, float]:
    """Votes of a's foremost frames for their counterparts in b, each as fresh as the two are; and the share
    of these frames that have one.
    """
    rows, columns = _most(a.frame_novelty, COUNTERPART_ROWS), _most(b.frame_novelty, MOST_COLUMNS)
    i, j, _ = _alike(a.frame_hashes[rows], b.frame_hashes[columns], COUNTERPART_BITS - 1)
    share = len(np.unique(i)) / max(len(rows), 1)
    rows, columns = rows[i], columns[j]
    weight = np.sqrt(freshness(a)[rows] * freshness(b)[columns]).astype(np.float64)
    return Votes(a.frame_times_s[rows], b.frame_times_s[columns], weight), share


def join_votes(*parts: Votes) -> Votes:
    return Votes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _most(weight: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Indices of the `limit` greatest weights, ascending; of equals the earlier."""
    if len(weight) <= limit:
        return np.arange(len(weight))
    return np.sort(np.argsort(-weight, kind="stable")[:limit])


def _alike(
    a: NDArray[np.unsignedinteger], b: NDArray[np.unsignedinteger], most_bits: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """All pairs with at most so many different bits: indices into a and b, and the bits."""
    return _pairs(a, b, lambda bits, rows: bits <= most_bits)


def _pairs(
    a: NDArray[np.unsignedinteger],
    b: NDArray[np.unsignedinteger],
    choose: Callable[[NDArray[np.uint8], slice], NDArray[np.bool_]],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The chosen pairs: indices into a and b, and how many bits differ. Some rows at a time, which bounds the
    memory.

    choose: gets the bits of (some rows of a, all of b), and which rows these are.
    """
    found = [(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.float32))]
    for start in range(0, len(a), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        bits = np.bitwise_count(a[rows, None] ^ b[None, :])
        flat = np.flatnonzero(choose(bits, rows))
        i, j = np.divmod(flat, max(bits.shape[1], 1))
        found.append((i + start, j, bits.ravel()[flat].astype(np.float32)))
    i, j, apart = (np.concatenate(column) for column in zip(*found, strict=True))
    return i, j, apart


def _frame_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    rows, columns = _most(a.frame_novelty, MOST_ROWS), _most(b.frame_novelty, MOST_COLUMNS)
    mine, theirs = a.frame_hashes[rows], b.frame_hashes[columns]
    usual_a, usual_b = _usual_bits(mine, theirs), _usual_bits(theirs, mine)
    usual_b -= usual_b.mean() if len(usual_b) else 0
    border_a, border_b = np.rint(2 * (usual_a - LEAST_CONTRAST))[:, None], np.rint(2 * usual_b)[None, :]

    def choose(bits: NDArray[np.uint8], some: slice) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = bits.view(np.int8) * np.int8(2) <= _sum_of_bytes(border_a[some], border_b)
        return chosen

    i, j, apart = _pairs(mine, theirs, choose)
    contrast = usual_a[i] + usual_b[j] - apart
    fresh = np.sqrt(freshness(a)[rows][i] * freshness(b)[columns][j])
    weight = (contrast - LEAST_CONTRAST / 2) * (0.05 + fresh)
    return _strongest(a.frame_times_s[rows][i], b.frame_times_s[columns][j], weight)


def _sum_of_bytes(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.int8]:
    """Half bits fit into a byte, which makes comparing millions quick."""
    return a.clip(-60, 60).astype(np.int8) + b.clip(-60, 60).astype(np.int8)


def _usual_bits(hashes: HashArray, others: HashArray) -> NDArray[np.float32]:
    """Mean distance of each hash to all the others: (n,). Each bit differs from as many as do not have it."""
    own, share = _bits(hashes), _bits(others).mean(axis=0) if len(others) else np.zeros(64, np.float32)
    return np.asarray(own @ (1 - 2 * share) + share.sum(), dtype=np.float32)


def _bits(hashes: HashArray) -> NDArray[np.float32]:
    rows = np.unpackbits(hashes.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return rows.astype(np.float32)


def _motion_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    fresh = [np.where(f.motion_hashes != 0, motion_freshness(f), 0).astype(np.float32) for f in (a, b)]
    rows, columns = (_most(x, most) for x, most in zip(fresh, (MOST_ROWS, MOST_COLUMNS), strict=True))
    rows, columns = rows[fresh[0][rows] > 0], columns[fresh[1][columns] > 0]
    i, j, bits = _alike(a.motion_hashes[rows], b.motion_hashes[columns], MOST_MOTION_BITS)
    rows, columns = rows[i], columns[j]
    weight = (MOST_MOTION_BITS + 2 - bits) * np.sqrt(fresh[0][rows] * fresh[1][columns])
    return _strongest(a.frame_times_s[rows], b.frame_times_s[columns], weight)


def _cut_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    """Every cut of a with every cut of b: little by itself, much if the pictures before and after are
    alike.
    """
    rows, columns = _evenly(a.cuts_s, MOST_CUT_ROWS), _evenly(b.cuts_s, MOST_CUT_COLUMNS)
    weight = np.full((len(rows), len(columns)), CUT_VOTE)
    for after in (False, True):
        mine, theirs = _at_cuts(a, rows, after=after), _at_cuts(b, columns, after=after)
        weight += np.maximum(ALIKE_BITS - distance(mine[:, None], theirs[None, :]), 0)
    i, j = np.indices(weight.shape).reshape(2, -1)
    return _strongest(rows[i], columns[j], weight.ravel())


def _evenly(values: FloatArray, most: int) -> FloatArray:
    """So many of them at most, evenly chosen."""
    return values[np.linspace(0, len(values) - 1, min(len(values), most)).astype(np.intp)]


def _at_cuts(f: Fingerprint, cuts_s: FloatArray, *, after: bool) -> HashArray:
    """The hash of the first hashed frame after each cut, or of the last one before."""
    if not len(f.frame_hashes):
        return np.zeros(len(cuts_s), np.uint64)
    at = np.searchsorted(f.frame_times_s, cuts_s) - (not after)
    return f.frame_hashes[np.clip(at, 0, len(f.frame_hashes) - 1)]


def _strongest(a_s: FloatArray, b_s: FloatArray, weight: NDArray[np.floating]) -> Votes:
    kept = _most(weight.astype(np.float32), MOST_VOTES)
    return Votes(a_s[kept], b_s[kept], weight[kept].astype(np.float64))
