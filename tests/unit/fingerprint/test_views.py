"""What shows only a part of a picture, or a picture within another, meets a view of the other content."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.fingerprint.insets import find_inset
from inspector.fingerprint.views import centre_box
from inspector.model import ByteArray, Fingerprint, FrameBatch, HashArray, View
from tests.unit.fingerprint.pictures import film, fingerprint_of, stretched

FRAMES = film((3.0, 7.1, 12.4, 17.0), 24.0)
WHOLE = fingerprint_of(FRAMES)
UNDER = film((5.0, 11.0), 24.0, seed=7)


def inset_of(top: int, bottom: int, left: int, right: int) -> ByteArray:
    """`FRAMES` set into `UNDER`."""
    luma = UNDER.luma.copy()
    luma[:, top:bottom, left:right] = stretched(FRAMES.luma, bottom - top, right - left)
    return luma


def view_of(f: Fingerprint, view: View) -> tuple[np.ndarray, HashArray]:
    """Its frames' times and hashes."""
    rows = f.view_kinds == view
    return f.frame_times_s[f.view_frames[rows]], f.view_hashes[rows]


def median_bits(times: np.ndarray, hashes: HashArray, whole: Fingerprint) -> float:
    """From each to the frame of `whole` at the same time."""
    at = np.abs(whole.frame_times_s[None, :] - times[:, None]).argmin(axis=1)
    return float(np.median(np.bitwise_count(hashes ^ whole.frame_hashes[at])))


def test_the_centre_meets_an_upright_crop() -> None:
    crop = fingerprint_of(
        FrameBatch(FRAMES.times_s, stretched(FRAMES.luma[:, :, 22:42], 36, 64)), aspect=9 / 16
    )
    times, hashes = view_of(WHOLE, View.CENTRE)
    assert 0.3 <= len(times) / 24 <= 1.4
    assert median_bits(times, hashes, crop) <= 6


@pytest.mark.parametrize(
    ("aspect", "height", "width"), [(16 / 9, 36, 20), (4 / 3, 36, 28), (9 / 16, 12, 64), (1.0, 36, 36)]
)
def test_the_centre_is_the_crop_to_the_other_shape(aspect: float, height: int, width: int) -> None:
    box = centre_box(aspect)
    assert (box.bottom - box.top, box.right - box.left) == (height, width)


@pytest.mark.parametrize("aspect", [0.001, 0.7, 0.8, 50.0])
def test_pictures_of_any_shape_have_a_centre(aspect: float) -> None:
    box = centre_box(aspect)
    assert 0 <= box.top < box.bottom - 3
    assert box.bottom <= 36
    assert 0 <= box.left < box.right - 3
    assert box.right <= 64


@pytest.mark.parametrize("place", [(16, 34, 29, 61), (1, 18, 30, 62), (2, 16, 3, 27), (10, 26, 16, 44)])
def test_an_inset_is_found_where_it_is(place: tuple[int, int, int, int]) -> None:
    found = find_inset(inset_of(*place)[:200:5])
    assert found is not None
    assert np.abs(np.subtract(found, place)).max() <= 1


def test_plain_footage_has_no_inset() -> None:
    assert find_inset(FRAMES.luma[:200:5]) is None


def test_an_inset_meets_what_was_set_in() -> None:
    seen = fingerprint_of(FrameBatch(UNDER.times_s, inset_of(16, 34, 29, 61)))
    times, hashes = view_of(seen, View.INSET)
    assert len(times) == len(seen.frame_times_s)
    assert median_bits(times, hashes, WHOLE) <= 6


def test_views_are_listed_by_kind_and_frame() -> None:
    seen = fingerprint_of(FrameBatch(UNDER.times_s, inset_of(16, 34, 29, 61)))
    order = seen.view_kinds.astype(np.int64) * 10**6 + seen.view_frames
    assert (np.diff(order) > 0).all()
    assert set(seen.view_kinds.tolist()) == {View.CENTRE, View.INSET}
    assert len(seen.view_frames) == len(seen.view_hashes) == len(seen.view_motion)
