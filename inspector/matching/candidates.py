"""From occurrences of a query's tokens to the contents worth comparing in full.

Every occurrence votes for (content, time offset); a content is a candidate if several moments of the query
vote for about the same offset. Rare tokens weigh more. Source: Wang, "An industrial-strength audio search
algorithm", 2003.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.model import Candidate, IntArray, Postings

#: Offsets within a bin agree; bins are counted together with their right neighbour, so that none is split.
BIN_MS: Final = 750
#: So many different moments of the query must vote alike: one proves nothing.
LEAST_MOMENTS: Final = 2
#: In an index of 100,000 films (see `benchmarks/index`) thousands have two moments in common with any other;
#: one or two in a hundred of them have this many votes, and planted copies are never behind the first few.
SURE_VOTES: Final = 0.5
FEW: Final = 50
VOTES_AT_ONCE: Final = 100_000  # counted together, which bounds the memory


def find_candidates(postings: Postings, *, limit: int = 1000) -> list[Candidate]:
    """Contents with consistent votes, most votes first (then by id).

    The best `FEW`; others only if they have `SURE_VOTES`, at most `limit` in all, which is a guard.
    """
    rarity = _rarity(postings.tokens)
    several = _repeated(postings.content_ids)
    if not several.any():
        return []
    offset_ms = (postings.times_ms - postings.query_times_ms)[several]
    ids, content = np.unique(postings.content_ids[several], return_inverse=True)
    bins = offset_ms // BIN_MS  # of fixed borders: how two contents agree is not for a third to say
    first = int(bins.min())
    bins -= first
    width = int(bins.max()) + 2
    # each occurrence stands in its own bin and, as right neighbour, in the one before
    place = np.concatenate((content * width + bins + 1, content * width + bins))
    row = np.flatnonzero(several)
    counted = []
    for some in _by_place(place):
        voting = some[_repeated(place[some])]
        at = row[voting % len(row)]
        counted.append(_count(place[voting], postings.query_times_ms[at], postings.tokens[at], rarity[at]))
    places = Places(*(np.concatenate(column) for column in zip(*counted, strict=True)))
    middle_ms = (places.place % width + first) * BIN_MS
    return _best(ids[places.place // width], places, middle_ms, limit)


def _by_place(place: IntArray) -> Iterator[NDArray[np.intp]]:
    """Indices of all votes, in the order of their places: some at a time, those of one place together."""
    order = np.argsort(place, kind="stable")
    begin = 0
    while begin < len(order):
        last = place[order[min(begin + VOTES_AT_ONCE, len(order)) - 1]]
        end = int(np.searchsorted(place, last, side="right", sorter=order))
        yield order[begin:end]
        begin = end


def _repeated(values: IntArray) -> NDArray[np.bool_]:
    """Which of the values occur at least `LEAST_MOMENTS` times: quick, and most do not."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] >= LEAST_MOMENTS)


class Places(NamedTuple):
    """Where votes fell: (p,) each; votes, and how many different moments of the query they come from."""

    place: IntArray
    votes: NDArray[np.float64]
    moments: IntArray


def _rarity(tokens: IntArray) -> NDArray[np.float64]:
    """A token that occurs n times weighs 1/√n at each."""
    _, inverse, counts = np.unique(tokens, return_inverse=True, return_counts=True)
    return np.asarray(1 / np.sqrt(counts[inverse]))


def _count(place: IntArray, moment: IntArray, token: IntArray, weight: NDArray[np.float64]) -> Places:
    """Votes per place. A moment votes once per place, with its rarest token, and a token once: a picture that
    stands still in both contents is one coincidence, however long it stands.
    """
    rarest = _first_of_each(place, moment, -weight, token)
    place, token, weight = place[rarest], token[rarest], weight[rarest]
    places, inverse = np.unique(place, return_inverse=True)
    once = _first_of_each(place, token)
    votes = np.bincount(inverse[once], weights=weight[once], minlength=len(places))
    return Places(places, votes.astype(np.float64), np.bincount(inverse).astype(np.int64))


def _first_of_each(place: IntArray, item: IntArray, *ranks: NDArray[np.generic]) -> NDArray[np.intp]:
    """Indices of the one with the lowest ranks of each (place, item), in this order of both."""
    order = np.lexsort((*reversed(ranks), item, place))
    place, item = place[order], item[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (place[1:] != place[:-1]) | (item[1:] != item[:-1])
    return order[first]


def _best(ids: IntArray, places: Places, middle_ms: IntArray, limit: int) -> list[Candidate]:
    """The best place of each content, if enough moments vote for it."""
    enough = places.moments >= LEAST_MOMENTS
    ids, votes, middle_ms = ids[enough], places.votes[enough], middle_ms[enough]
    order = np.lexsort((middle_ms, -votes, ids))
    ids, votes, middle_ms = ids[order], votes[order], middle_ms[order]
    best = np.ones(len(ids), dtype=np.bool_)
    best[1:] = ids[1:] != ids[:-1]
    found = [
        Candidate(content_id=int(i), votes=float(v), offset_ms=int(o))
        for i, v, o in zip(ids[best], votes[best], middle_ms[best], strict=True)
    ]
    found.sort(key=lambda c: (-c.votes, c.content_id))
    return [c for rank, c in enumerate(found[:limit]) if rank < FEW or c.votes >= SURE_VOTES]
