"""Only what holds nothing at all is excused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.accuracy.telling import tells_nothing
from tests.unit.matching.films import make_film, make_still

STILL = make_still(3)


def test_a_silent_still_tells_nothing() -> None:
    assert tells_nothing(STILL)


def test_a_cut_sound_or_motion_tells() -> None:
    heard = replace(STILL, sound_weight=np.full_like(STILL.sound_weight, 0.5))
    moving = replace(STILL, motion_hashes=make_film(1).frame_hashes[: len(STILL.motion_hashes)])
    assert not tells_nothing(replace(STILL, cuts_s=np.array([3.0])))
    assert not tells_nothing(heard)
    assert not tells_nothing(moving)
    assert not tells_nothing(make_film(1, sound=False))
