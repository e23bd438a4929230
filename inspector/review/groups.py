"""Groups of duplicates: sets in which every two match directly, so that no chain becomes one giant duplicate.

Every pair of duplicates lies in at least one group, and a content may lie in two: of A–B–C, where A and C do
not match, {A, B} and {B, C} are the groups. So whoever keeps one of a group keeps something that each of the
others was compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple


class Edge(NamedTuple):
    """Two contents, named by their sha256, that are duplicates of one another."""

    a: bytes
    b: bytes
    score: float


class Group(NamedTuple):
    """members: ascending.  score: that of its weakest pair, so every pair is at least as certain."""

    members: tuple[bytes, ...]
    score: float


def form_groups(edges: Iterable[Edge], copied: Iterable[bytes] = ()) -> list[Group]:
    """Cover all edges with groups, the surest first; the same whatever the order of the edges.

    copied: contents that lie under several keys; whoever of them is in no group is one by itself.
    Source: a greedy edge clique cover; each clique grows from the surest edge that none covers yet, by those
    who match all its members. The least cover is NP-hard (Orlin 1977), and a person needs none.
    """
    scores = {_pair(edge.a, edge.b): edge.score for edge in edges if edge.a != edge.b}
    near: dict[bytes, set[bytes]] = defaultdict(set)
    for a, b in scores:
        near[a].add(b)
        near[b].add(a)
    covered: set[tuple[bytes, bytes]] = set()
    groups: list[Group] = []
    for pair in sorted(scores, key=lambda pair: (-scores[pair], pair)):
        if pair in covered:
            continue
        members = _grow(pair, near)
        pairs = list(combinations(members, 2))
        covered.update(pairs)
        groups.append(Group(members, min(scores[each] for each in pairs)))
    grouped = {member for group in groups for member in group.members}
    groups += [Group((each,), 1.0) for each in set(copied) - grouped]
    return sorted(groups, key=lambda group: (-group.score, group.members))


def _grow(pair: tuple[bytes, bytes], near: dict[bytes, set[bytes]]) -> tuple[bytes, ...]:
    """The pair, and as many as match each other and both of it; who matches most of those comes first."""
    members = set(pair)
    open_to = near[pair[0]] & near[pair[1]]
    for each in sorted(open_to, key=lambda one: (-len(near[one] & open_to), one)):
        if members <= near[each]:
            members.add(each)
    return tuple(sorted(members))


def _pair(a: bytes, b: bytes) -> tuple[bytes, bytes]:
    return (a, b) if a < b else (b, a)
