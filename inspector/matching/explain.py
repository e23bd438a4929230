"""Why two contents match, laid out for eyes: how alike they are along a segment, and a little beyond it.

Nothing is judged here: the comparison has said what matches. This looks along its line once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.matching.alignment import Aligned, align_frames, align_sounds, match_cuts
from inspector.matching.evidence import CUT_TOLERANCE_S
from inspector.matching.guises import GUISES, Guise
from inspector.matching.hashes import VARIANTS
from inspector.matching.likelihood import CHANCE_BITS, SOUND_CHANCE_BITS
from inspector.matching.lines import Line
from inspector.model import Fingerprint, FloatArray, Segment, View

#: A guise other than the plain one is believed if it brings pictures so much closer.
CLEARLY_BITS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """times_s: (n,) of a, ascending.  shares: (n,) 1: the same, 0: as unlike as unrelated ones."""

    times_s: FloatArray
    shares: FloatArray


@dataclass(frozen=True, slots=True)
class Cuts:
    """times_s: (n,) on a's clock, ascending.  matched: (n,) whether a cut of the other lies on it."""

    times_s: FloatArray
    matched: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What speaks for one segment, between start_s and end_s of a.

    guise: how b is shown in a.  mine, theirs: the cuts of a, and those of b on a's clock.
    """

    segment: Segment
    guise: Guise
    start_s: float
    end_s: float
    frames: Likeness
    sounds: Likeness
    mine: Cuts
    theirs: Cuts


def explain(
    a: Fingerprint, b: Fingerprint, segment: Segment, *, before_s: float, after_s: float
) -> Explanation:
    """Look along the line of a segment, from `before_s` before it begins until `after_s` after it ends."""
    start_s, end_s = max(segment.a_start_s - before_s, 0.0), min(segment.a_end_s + after_s, a.duration_s)
    speed = segment.speed
    line = Line(speed, segment.b_start_s - speed * segment.a_start_s)
    guise, frames = _most_alike(a, b, line, segment)
    mine = a.cuts_s[(a.cuts_s >= start_s) & (a.cuts_s <= end_s)]
    theirs = (b.cuts_s - line.offset_s) / speed
    theirs = theirs[(theirs >= start_s) & (theirs <= end_s)]
    i, j = match_cuts(mine, theirs, tolerance_s=CUT_TOLERANCE_S)
    return Explanation(
        segment,
        guise,
        start_s,
        end_s,
        _within(frames, CHANCE_BITS, start_s, end_s),
        _within(align_sounds(a, b, line), SOUND_CHANCE_BITS, start_s, end_s),
        Cuts(mine, np.isin(np.arange(len(mine)), i)),
        Cuts(theirs, np.isin(np.arange(len(theirs)), j)),
    )


def say_guise(guise: Guise) -> str:
    """How b is shown in a, in words; empty if just as it is."""
    turned, flipped, mirrored = VARIANTS[guise.lying]
    words = []
    if turned or flipped:
        words.append("turned or upside down")
    elif mirrored:
        words.append("mirrored")
    if View.CENTRE in (guise.a, guise.b):
        words.append("cut to its middle")
    if View.INSET in (guise.a, guise.b):
        words.append("set into another picture")
    return ", ".join(words)


def _most_alike(a: Fingerprint, b: Fingerprint, line: Line, segment: Segment) -> tuple[Guise, Aligned]:
    """The guise in which the pictures of the segment lie closest."""
    best, best_bits = (GUISES[0], align_frames(a, b, line)), float("inf")
    for guise in GUISES:
        aligned = align_frames(guise.show_a(a), guise.show_b(b), line)
        here = (aligned.a_s >= segment.a_start_s) & (aligned.a_s <= segment.a_end_s)
        bits = float(np.median(aligned.bits[here])) if here.any() else CHANCE_BITS
        if bits < best_bits - CLEARLY_BITS:
            best, best_bits = (guise, aligned), bits
    return best


def _within(aligned: Aligned, chance_bits: float, start_s: float, end_s: float) -> Likeness:
    here = (aligned.a_s >= start_s) & (aligned.a_s <= end_s)
    shares = np.clip(1 - aligned.bits[here] / chance_bits, 0.0, 1.0).astype(np.float64)
    return Likeness(aligned.a_s[here], shares)
