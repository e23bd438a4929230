"""Objects at work survive as bytes: equal to the last bit, and nothing but what is known is ever made."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

from inspector.freezing import Log, freeze, thaw


class Box(NamedTuple):
    top: int
    left: int


class Shelf:
    def __init__(self) -> None:
        self.things: Log[object] = Log()
        self.box: Box | None = Box(1, 2)
        self.next_s = -math.inf


class Stranger:
    pass


CLASSES = (Box, Shelf)


def test_all_that_is_in_an_object_comes_back() -> None:
    shelf = Shelf()
    shelf.things.extend(
        [0.1, (np.arange(6, dtype=np.uint16).reshape(2, 3), np.zeros(0, "<f4")), ["x", None, True]]
    )
    frozen = freeze((shelf, 7), CLASSES)
    again, seven = thaw(frozen.state, [frozen.grown], CLASSES)
    assert (again.box, again.next_s, seven) == (Box(1, 2), -math.inf, 7)
    number, (array, nothing), rest = again.things
    assert (number, rest) == (0.1, ["x", None, True])
    assert array.dtype == np.uint16
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (nothing.dtype, nothing.size) == (np.float32, 0)
    array[0, 0] = 9  # it is ours to change


def test_what_is_kept_is_not_written_again() -> None:
    shelf = Shelf()
    shelf.things.append(np.arange(50_000))
    first = freeze(shelf, CLASSES)
    first.mark_kept()
    shelf.things.append(2)
    second = freeze(shelf, CLASSES)
    assert len(second.grown) < 200
    again = thaw(second.state, [first.grown, second.grown], CLASSES)
    assert np.array_equal(again.things[0], np.arange(50_000))
    assert again.things[1] == 2
    again.things.append(3)
    third = freeze(again, CLASSES)
    assert thaw(third.state, [first.grown, second.grown, third.grown], CLASSES).things[1:] == [2, 3]


def test_what_could_not_be_kept_is_written_with_the_next() -> None:
    shelf = Shelf()
    shelf.things.append(1)
    freeze(shelf, CLASSES)
    shelf.things.append(2)
    frozen = freeze(shelf, CLASSES)
    assert thaw(frozen.state, [frozen.grown], CLASSES).things == [1, 2]


def test_what_is_not_known_is_neither_written_nor_made() -> None:
    with pytest.raises(TypeError, match="Stranger"):
        freeze(Stranger(), CLASSES)
    with pytest.raises(KeyError):
        thaw(freeze(Shelf(), CLASSES).state, [], (Box,))
