"""The ways one content may be shown in another: which part of each is looked at, and how the picture lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from inspector.matching.hashes import VARIANTS, vary
from inspector.model import Fingerprint, HashArray, View

#: Natural logarithms of odds against such copies, guessed.
PRICE_OF_MIRROR: Final = 2.0
PRICE_OF_TURN: Final = 4.0
PRICE_OF_VIEW: Final = 3.0

_MIRRORED: Final = VARIANTS.index((0, 0, 1))


class Guise(NamedTuple):
    """What is compared: a view of a with a view of b, whose picture lies as `VARIANTS[lying]` says."""

    a: View = View.WHOLE
    b: View = View.WHOLE
    lying: int = 0

    @property
    def price_nats(self) -> float:
        """Log odds against it: few copies are mirrored, turned, cropped or set into another picture."""
        turned, flipped, _ = VARIANTS[self.lying]
        turn = PRICE_OF_TURN if turned or flipped else PRICE_OF_MIRROR if self.lying else 0.0
        return turn + (PRICE_OF_VIEW if self.a or self.b else 0.0)

    def show_a(self, f: Fingerprint) -> Fingerprint:
        """The first content in this guise."""
        return seen_as(f, self.a)

    def show_b(self, f: Fingerprint) -> Fingerprint:
        """The second one."""
        return _lie(seen_as(f, self.b), self.lying)


#: All guises, the plain one first. A part of one is looked for in the whole of the other, insets in insets
#: too.
GUISES: Final = (
    *(Guise(lying=lying) for lying in range(len(VARIANTS))),
    *(
        Guise(a, b, lying)
        for view in (View.CENTRE, View.INSET)
        for a, b in ((view, View.WHOLE), (View.WHOLE, view))
        for lying in (0, _MIRRORED)
    ),
    Guise(View.INSET, View.INSET),
)


def seen_as(f: Fingerprint, view: View) -> Fingerprint:
    """The same content as if only this part of its picture had been hashed."""
    if view is View.WHOLE:
        return f
    rows = f.view_kinds == view
    frames = f.view_frames[rows]
    return replace(
        f,
        frame_times_s=f.frame_times_s[frames],
        frame_novelty=f.frame_novelty[frames],
        frame_hashes=f.view_hashes[rows],
        motion_hashes=f.view_motion[rows],
    )


def _lie(f: Fingerprint, variant: int) -> Fingerprint:
    """The same content with its picture lying as `VARIANTS[variant]` says."""
    if not variant:
        return f
    return replace(
        f, frame_hashes=vary(f.frame_hashes, variant), motion_hashes=_vary_motion(f.motion_hashes, variant)
    )


def _vary_motion(hashes: HashArray, variant: int) -> HashArray:
    """Where nothing moves, nothing moves in a mirror either."""
    return np.where(hashes != 0, vary(hashes, variant), hashes)
