"""Common material: what many unrelated videos share (an intro, a jingle, black), told by document frequency.

Judged when results are read, because it changes with every video that comes: scores do not depend on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
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


class Ruling(NamedTuple):
    """What a person said of a stretch of a content: it is common, or it is not, however many share it."""

    start_s: float
    end_s: float
    common: bool


class Stretch(NamedTuple):
    """A stretch of a content that all these others share; its own copies and parts, `related`, among them."""

    start_s: float
    end_s: float
    others: frozenset[int]
    related: frozenset[int]


def find_common(
    content_id: int,
    found: Sequence[tuple[int, Match]],
    kin: Iterable[Kin],
    *,
    least: int,
    rulings: Sequence[Ruling] = (),
    airings: Collection[int] = (),
) -> frozenset[int]:
    """The other contents that share only common material with this one.

    found: (the other content, the match as seen from this one).  kin: who of all of them is related.
    least: so many unrelated groups of contents must share each segment. Only partial matches can be common:
    who holds all of another shares that, however many do.  rulings: they count for more than counting.
    airings: those that, like this one, are pieces of recordings. What a channel shows again and again (an
    advertisement) is not common for that: its matches with the others are judged by the others alone.
    """
    partial = [(other, match) for other, match in found if match.verdict is Verdict.PARTIAL]
    if (len(found) < least and not rulings) or not partial:
        return frozenset()
    group = _group({content_id, *(other for other, _ in found)}, kin)
    spans: dict[int, list[Span]] = defaultdict(list)
    for other, match in found:
        if group[other] != group[content_id]:
            spans[group[other]] += [(s.a_start_s, s.a_end_s) for s in match.segments]
    shared = _Shared(spans.values(), least, rulings)
    aired = {group[other] for other in airings if other in group}
    known = _Shared([held for one, held in spans.items() if one not in aired], least, rulings)
    return frozenset(
        other
        for other, match in partial
        if all(
            (shared if other in airings else known).by_many(s.a_start_s, s.a_end_s) for s in match.segments
        )
    )


def find_stretches(
    content_id: int, found: Sequence[tuple[int, Match]], kin: Iterable[Kin], *, least: int
) -> list[Stretch]:
    """The stretches of a content that so many unrelated groups of contents share, the most shared first.

    found: as for `find_common`. Of stretches that overlap by half, the one that more share is taken.
    """
    group = _group({content_id, *(other for other, _ in found)}, kin)
    partial = [(o, m) for o, m in found if m.verdict is Verdict.PARTIAL and group[o] != group[content_id]]
    places: dict[tuple[int, int], Span] = {}
    for _, match in partial:
        for s in match.segments:
            place = round(s.a_start_s / ROUNDED_S), round(s.a_end_s / ROUNDED_S)
            places.setdefault(place, (s.a_start_s, s.a_end_s))
    related = [(o, m) for o, m in found if group[o] == group[content_id]]
    stretches = [
        Stretch(*span, _covering(span, [*partial, *related]), _covering(span, related))
        for span in places.values()
    ]
    many = [s for s in stretches if len({group[other] for other in s.others - s.related}) >= least]
    taken: list[Stretch] = []
    for stretch in sorted(many, key=lambda s: (-len(s.others), s.start_s - s.end_s, s.start_s)):
        half_s = (stretch.end_s - stretch.start_s) / 2
        if all(_overlap_s(stretch, each) < half_s for each in taken):
            taken.append(stretch)
    return taken


def carry(ruling: Ruling, match: Match) -> Iterator[Ruling]:
    """Where a stretch of the other content lies in this one, if a segment holds most of it.

    match: as seen from this one.
    """
    wanted = MOST_OF_IT * (ruling.end_s - ruling.start_s)
    for s in match.segments:
        start_s, end_s = max(s.b_start_s, ruling.start_s), min(s.b_end_s, ruling.end_s)
        if end_s - start_s >= wanted:
            yield Ruling(
                s.a_start_s + (start_s - s.b_start_s) / s.speed,
                s.a_start_s + (end_s - s.b_start_s) / s.speed,
                ruling.common,
            )


def _covering(span: Span, found: Iterable[tuple[int, Match]]) -> frozenset[int]:
    """Who shares most of this stretch."""
    wanted = MOST_OF_IT * (span[1] - span[0])
    return frozenset(
        other
        for other, match in found
        if _covered_s(((s.a_start_s, s.a_end_s) for s in match.segments), *span) >= wanted
    )


def _overlap_s(one: Stretch, other: Stretch) -> float:
    return min(one.end_s, other.end_s) - max(one.start_s, other.start_s)


class _Shared:
    """Counts who covers a stretch, where nobody ruled; remembers it for those that are nearly the same."""

    def __init__(
        self, groups: Collection[Sequence[Span]], least: int, rulings: Sequence[Ruling] = ()
    ) -> None:
        self._groups = groups
        self._least = least
        self._rulings = rulings
        self._known: dict[tuple[int, int], bool] = {}

    def by_many(self, start_s: float, end_s: float) -> bool:
        for ruling in self._rulings:
            if _covered_s([(ruling.start_s, ruling.end_s)], start_s, end_s) >= MOST_OF_IT * (end_s - start_s):
                return ruling.common
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
