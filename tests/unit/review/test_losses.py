"""What decisions condemn: nothing that was not confirmed, and never a last copy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspector.review import Confirmed, Holding, Losses, find_losses


def confirmed(*wins: str) -> list[Confirmed]:
    """`a>b` keeps a of a and b, `a>a` keeps the key a1 of several of the same bytes."""
    return [
        Confirmed(number, win[0].encode(), win[2].encode(), f"{win[0]}1")
        for number, win in enumerate(wins, 1)
    ]


def holdings(*keys: str) -> list[Holding]:
    """The key `a2` holds the bytes a."""
    return [
        Holding(number, "videos", key, f"etag of {key}", None, 1, key[0].encode())
        for number, key in enumerate(keys)
    ]


def lost(losses: Losses) -> dict[str, str]:
    """Key → the key that is kept in its place."""
    return {loss.holding.key: loss.keeper.key for loss in losses.losses}


def test_all_that_hold_the_loser_go_and_all_that_hold_the_keeper_stay() -> None:
    found = find_losses(confirmed("a>b"), holdings("a1", "a2", "b1", "b2", "c1"))
    assert lost(found) == {"b1": "a1", "b2": "a1"}
    assert found.refused == {}


def test_nothing_goes_when_what_was_kept_is_gone() -> None:
    found = find_losses(confirmed("a>b"), holdings("b1"))
    assert (lost(found), list(found.refused)) == ({}, [1])


def test_another_key_of_the_same_bytes_stands_for_the_one_that_was_kept() -> None:
    assert lost(find_losses(confirmed("a>b"), holdings("a9", "b1"))) == {"b1": "a9"}


def test_who_is_kept_instead_of_the_keeper_stands_for_it() -> None:
    assert lost(find_losses(confirmed("a>b", "b>c"), holdings("a1", "b1", "c1"))) == {"b1": "a1", "c1": "a1"}


def test_in_a_circle_everybody_stays() -> None:
    found = find_losses(confirmed("a>b", "b>c", "c>a"), holdings("a1", "b1", "c1"))
    assert (lost(found), sorted(found.refused)) == ({}, [1, 2, 3])


def test_of_the_same_bytes_only_the_chosen_key_stays() -> None:
    assert lost(find_losses(confirmed("a>a"), holdings("a1", "a2", "a3"))) == {"a2": "a1", "a3": "a1"}
    assert lost(find_losses(confirmed("a>a"), holdings("a2", "a3"))) == {}


def test_the_chosen_key_of_the_same_bytes_is_what_others_are_kept_as() -> None:
    decisions = [Confirmed(1, b"a", b"b", "a2"), Confirmed(2, b"a", b"a", "a1")]
    assert lost(find_losses(decisions, holdings("a1", "a2", "b1"))) == {"a2": "a1", "b1": "a1"}


names = st.sampled_from("abcde")
some_keys = st.sets(st.tuples(names, st.sampled_from("123")), max_size=10)
some_wins = st.lists(st.tuples(names, names, st.sampled_from("123")), max_size=10)


@given(some_wins, some_keys)
def test_whatever_is_decided_each_lost_object_has_a_keeper_that_is_there_and_stays(
    wins: list[tuple[str, str, str]], keys: set[tuple[str, str]]
) -> None:
    decisions = [
        Confirmed(n, keeper.encode(), loser.encode(), keeper + number)
        for n, (keeper, loser, number) in enumerate(wins)
    ]
    there = holdings(*sorted(name + number for name, number in keys))
    found = lost(find_losses(decisions, there))
    assert not set(found) & set(found.values())
    assert set(found) | set(found.values()) <= {holding.key for holding in there}
    losers = {loser for keeper, loser, _ in wins}
    assert {key[0] for key in found} <= losers
