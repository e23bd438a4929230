"""Where the lines of the figures go. Pure: seconds in, units of a figure out.

A figure is WIDTH units wide, whatever its width on the screen; templates draw it as SVG that is stretched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inspector.matching.explain import Cuts, Explanation, Likeness
from inspector.model import Segment

WIDTH: Final = 1000.0
POINTS: Final = 250  # of a curve: more than one to four pixels says nothing to the eye
MOST_TICKS: Final = 400
_GAP_S: Final = 1.0  # a curve is broken where nothing was compared for so long


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds from start_s to end_s over the whole width."""

    start_s: float
    end_s: float

    def x(self, time_s: float) -> float:
        """Where a moment lies; outside the figure for moments before or after it."""
        return round((time_s - self.start_s) / max(self.end_s - self.start_s, 1e-6) * WIDTH, 2)

    def span(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Where a stretch begins, and how wide it is; never thinner than a hair."""
        left = self.x(start_s)
        return left, max(round(self.x(end_s) - left, 2), 1.0)


@dataclass(frozen=True, slots=True)
class Ribbon:
    """A segment between two timelines: the points of a polygon `height` high, and what it says."""

    points: str
    segment: Segment


def ribbons(segments: Iterable[Segment], scale: Scale, height: float) -> list[Ribbon]:
    """A band from each segment's place above to its place below."""
    return [
        Ribbon(
            f"{scale.x(s.a_start_s)},0 {scale.x(s.a_end_s)},0 "
            f"{scale.x(s.b_end_s)},{height:g} {scale.x(s.b_start_s)},{height:g}",
            s,
        )
        for s in segments
    ]


def ticks(times_s: Sequence[float], scale: Scale) -> list[float]:
    """Where cuts are drawn: each place once, evenly thinned where there are too many for eyes."""
    places = sorted({round(scale.x(time)) for time in times_s})
    step = -(-len(places) // MOST_TICKS)
    return [float(place) for place in places[:: max(step, 1)]]


def curve(likeness: Likeness, scale: Scale, height: float) -> str:
    """The data of a path, from the mean of each bin; empty if there is nothing to draw."""
    if not len(likeness.times_s):
        return ""
    step_s = (scale.end_s - scale.start_s) / POINTS
    bins = ((likeness.times_s - scale.start_s) / max(step_s, 1e-6)).astype(np.int64)
    steps: list[str] = []
    last_s = float("-inf")
    for each in np.unique(bins):
        here = bins == each
        time_s, share = float(likeness.times_s[here].mean()), float(likeness.shares[here].mean())
        steps.append(
            f"{'M' if time_s - last_s > _GAP_S + step_s else 'L'}{scale.x(time_s)} {height * (1 - share):.1f}"
        )
        last_s = time_s
    return " ".join(steps)


@dataclass(frozen=True, slots=True)
class Lane:
    """A curve of one kind of evidence. agreeing, compared: how many items, within the segments."""

    paths: tuple[str, ...]
    agreeing: int
    compared: int


def lane(found: Sequence[tuple[Explanation, Likeness]], scale: Scale, height: float, *, alike: float) -> Lane:
    """The curves of all segments. alike: items of such a share agree."""
    agreeing = compared = 0
    for why, likeness in found:
        inside = (likeness.times_s >= why.segment.a_start_s) & (likeness.times_s <= why.segment.a_end_s)
        compared += int(inside.sum())
        agreeing += int((likeness.shares[inside] >= alike).sum())
    paths = tuple(path for _, likeness in found if (path := curve(likeness, scale, height)))
    return Lane(paths, agreeing, compared)


def cut_ticks(cuts: Iterable[Cuts], scale: Scale) -> dict[bool, list[float]]:
    """Where cuts lie, those that match apart from those that do not."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for each in cuts:
        for matched in (True, False):
            found[matched] += ticks(each.times_s[each.matched == matched].tolist(), scale)
    return found
