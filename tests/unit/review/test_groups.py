"""Groups are sets in which every two match; they cover every pair, whatever the order."""

from __future__ import annotations

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from inspector.review import Edge, form_groups


def edges_of(*pairs: str, score: float = 0.9) -> list[Edge]:
    """`ab` is an edge between a and b."""
    return [Edge(pair[0].encode(), pair[1].encode(), score) for pair in pairs]


def members(*names: str) -> list[tuple[bytes, ...]]:
    return [tuple(letter.encode() for letter in name) for name in names]


def test_a_chain_is_not_one_group() -> None:
    assert [group.members for group in form_groups(edges_of("ab", "bc", "cd"))] == members("ab", "bc", "cd")


def test_who_matches_all_of_a_group_joins_it() -> None:
    every_two = [a + b for a, b in combinations("abcd", 2)]
    assert [group.members for group in form_groups(edges_of(*every_two))] == members("abcd")


def test_a_missing_pair_makes_two_groups_that_share_the_others() -> None:
    without_ad = [a + b for a, b in combinations("abcd", 2) if a + b != "ad"]
    assert sorted(group.members for group in form_groups(edges_of(*without_ad))) == members("abc", "bcd")


def test_a_group_is_as_sure_as_its_weakest_pair() -> None:
    groups = form_groups(
        [*edges_of("ab", "bc", score=0.9), *edges_of("ac", score=0.6), *edges_of("xy", score=0.7)]
    )
    assert [(group.members, group.score) for group in groups] == [
        (members("xy")[0], 0.7),
        (members("abc")[0], 0.6),
    ]


def test_copies_of_the_same_bytes_are_a_group_if_they_are_in_no_other() -> None:
    assert [group.members for group in form_groups(edges_of("ab"), [b"a", b"z"])] == members("z", "ab")


letters = st.sampled_from("abcdefgh")
some_edges = st.lists(st.tuples(letters, letters, st.sampled_from((0.5, 0.7, 0.9, 1.0))), max_size=24).map(
    lambda found: [Edge(min(a, b).encode(), max(a, b).encode(), s) for a, b, s in found if a != b]
)


def unique(edges: list[Edge]) -> list[Edge]:
    """One edge a pair."""
    return list({(edge.a, edge.b): edge for edge in edges}.values())


@given(some_edges.map(unique), st.randoms(use_true_random=False))
def test_every_two_of_a_group_match_every_match_is_in_a_group_and_no_order_changes_it(
    edges: list[Edge], random: Random
) -> None:
    matching = {(edge.a, edge.b) for edge in edges}
    groups = form_groups(edges)
    inside = {pair for group in groups for pair in combinations(group.members, 2)}
    assert inside == matching
    turned = [Edge(edge.b, edge.a, edge.score) for edge in edges]
    random.shuffle(turned)
    assert form_groups(turned) == groups
    sets = [set(group.members) for group in groups]
    assert not any(one < other for one in sets for other in sets)
