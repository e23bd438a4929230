"""Sequencers order the events of one key."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inspector.events import is_older

HEX = st.integers(min_value=0, max_value=16**24)


@given(HEX, HEX)
def test_sequencers_compare_as_numbers_whatever_their_length(a: int, b: int) -> None:
    assert is_older(f"{a:X}", f"{b:x}") == (a < b)


def test_an_unknown_sequencer_is_never_called_older() -> None:
    assert not is_older(None, "1")
    assert not is_older("1", None)


def test_equal_sequencers_are_not_older() -> None:
    assert not is_older("00A", "A")
