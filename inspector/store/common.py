"""Common material: what many unrelated videos share (an intro, a jingle, black), told by document frequency.

Judged when results are read, because it changes with every video that comes: scores do not depend on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from inspector.model import Match, Verdict

#: A stretch is shared by whoever covers this part of it.
MOST_OF_IT: Final = 0.8
#: Stretches whose ends differ by less are looked at once.
ROUNDED_S: Final = 1.0

Span = tuple[float, float]  # start and end, seconds


class Kin(NamedTuple):
    """Two contents that are duplicates, or of which one lies in the other. `whole` is the longer one."""

    whole: int
    part: int
    verdict: Verdict


def find_common(
    content_id: int, found: Sequence[tuple[int, Match]], kin: Iterable[Kin], *, least: int
) -> frozenset[int]:
    """The other contents that share only common material with this one.

    found: (the other content, the match as seen from this one).  kin: who of all of them is related.
    least: so many unrelated groups of contents must share each segment. Only partial matches can be common:
    who holds all of another shares that, however many do.
    """
    partial = [(other, match) for other, match in found if match.verdict is Verdict.PARTIAL]
    if len(found) < least or not partial:
        return frozenset()
    group = _group({content_id, *(other for other, _ in found)}, kin)
    spans: dict[int, list[Span]] = defaultdict(list)
    for other, match in found:
        if group[other] != group[content_id]:
            spans[group[other]] += [(s.a_start_s, s.a_end_s) for s in match.segments]
    shared = _Shared(spans.values(), least)
    return frozenset(
        other
        for other, match in partial
        if all(shared.by_many(s.a_start_s, s.a_end_s) for s in match.segments)
    )


class _Shared:
    """Counts who covers a stretch; remembers it for stretches that are nearly the same."""

    def __init__(self, groups: Collection[Sequence[Span]], least: int) -> None:
        self._groups = groups
        self._least = least
        self._known: dict[tuple[int, int], bool] = {}

    def by_many(self, start_s: float, end_s: float) -> bool:
        place = round(start_s / ROUNDED_S), round(end_s / ROUNDED_S)
        if place not in self._known:
            wanted = MOST_OF_IT * (end_s - start_s)
            covering = sum(_covered_s(spans, start_s, end_s) >= wanted for spans in self._groups)
            self._known[place] = covering >= self._least
        return self._known[place]


def _covered_s(spans: Iterable[Span], start_s: float, end_s: float) -> float:
    """The longest part of [start_s, end_s) that one of the spans covers."""
    return max(min(end, end_s) - max(start, start_s) for start, end in spans)


def _group(ids: Iterable[int], kin: Iterable[Kin]) -> dict[int, int]:
    """Content → one content that stands for its group.

    Duplicates are one group. A part belongs to the group of its whole, so that clips of one film are related;
    unless several wholes hold it: a jingle does not relate the videos it is in.
    """
    leader = {each: each for each in ids}

    def find(each: int) -> int:
        while leader[each] != each:
            each = leader[each]
        return each

    known = [k for k in kin if k.whole in leader and k.part in leader]
    for k in known:
        if k.verdict is Verdict.DUPLICATE:
            leader[find(k.part)] = find(k.whole)
    wholes: dict[int, set[int]] = defaultdict(set)
    for k in known:
        if k.verdict is Verdict.CONTAINED:
            wholes[find(k.part)].add(find(k.whole))
    for part, holding in wholes.items():
        if len(holding) == 1 and find(part) != find(*holding):
            leader[find(part)] = find(*holding)
    return {each: find(each) for each in leader}
