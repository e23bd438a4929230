"""A stored fingerprint is the one that was made, in less than 400 KB an hour."""

from __future__ import annotations

import numpy as np

from inspector.store.contents import pack, unpack
from tests.unit.fingerprint.pictures import film, fingerprint_of, melody

SECONDS = 120.0
SEEN = fingerprint_of(film(tuple(np.arange(3.3, SECONDS, 4.7)), SECONDS), melody(SECONDS))


def test_nothing_is_lost() -> None:
    for name, values in unpack(pack(SEEN)).items():
        made = getattr(SEEN, name)
        assert values.dtype == made.dtype, name
        assert np.array_equal(values, made), name


def test_an_hour_takes_less_than_400_kilobytes() -> None:
    assert len(pack(SEEN)) * 3600 / SECONDS < 400_000
