"""`/compare?a=&b=`: two videos side by side, where they lie on each other, and why we think so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, request

from inspector.api.pages import drawing
from inspector.api.pages.behind import Behind, page
from inspector.api.pages.drawing import Lane, Scale
from inspector.api.problems import Problem
from inspector.matching.explain import Explanation, explain, say_guise
from inspector.model import DuplicateStatus, Evidence, Segment, VideoStatus

RIBBON_HEIGHT: Final = 60.0
LANE_HEIGHT: Final = 60.0
_MARGIN_S: Final = 3.0  # of time looked at beyond a segment: where likeness ends says where the match does
_ALIKE_FRAME: Final = 0.5
_ALIKE_SOUND: Final = 0.35
_MOST_EXPLAINED: Final = 40  # segments

#: What each kind of evidence is called, in the order in which people understand it.
KINDS: Final = {
    "frames": "what is seen",
    "motion": "what moves",
    "presence": "that a picture is there at all",
    "cuts": "where the cuts are",
    "sounds": "what is heard",
    "line": "what an edit costs",
    "chance": "how rare matches are at all",
}


@dataclass(frozen=True, slots=True)
class Weight:
    """What one kind of evidence says for the match, or against it (nats), as a bar of so many hundredths."""

    said: str
    nats: float
    width: float


@dataclass(frozen=True, slots=True)
class Figure:
    """The evidence as a plot over the first video's time."""

    scale: Scale
    segments: tuple[tuple[float, float], ...]
    frames: Lane
    sounds: Lane
    cuts_here: dict[bool, list[float]]
    cuts_there: dict[bool, list[float]]
    matched_cuts: int
    guise: str


class CompareView:
    """The page of two videos."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    def show(self) -> Response:
        """`GET /compare`: `?a=` and `?b=` are keys."""
        one, other = (self._video(request.args.get(name, "")) for name in ("a", "b"))
        match = next((each for each in (*one.duplicates, *one.common) if each.key == other.key), None)
        pictures = self._behind.source.thumbnails({v.sha256 for v in (one, other) if v.sha256})
        scale = Scale(0.0, max(length_s(one), length_s(other)))
        return page(
            "compare.html",
            one=one,
            other=other,
            match=match,
            scale=scale,
            lengths=(scale.span(0.0, length_s(one)), scale.span(0.0, length_s(other))),
            cuts=(drawing.ticks(one.scene_cuts, scale), drawing.ticks(other.scene_cuts, scale)),
            ribbons=drawing.ribbons(match.segments, scale, RIBBON_HEIGHT) if match else [],
            figure=self._figure(one, other, match) if match else None,
            weights=weigh(match.evidence) if match else [],
            pictures=pictures,
            track=_track(match, one, other),
            heights=(RIBBON_HEIGHT, LANE_HEIGHT),
        )

    def _video(self, key: str) -> VideoStatus:
        found = self._behind.finder.exact(key) if key else None
        if found is None:
            raise Problem(404, "not-found", f"There is no video {key!r} to compare: name two by ?a= and ?b=.")
        return found

    def _figure(self, one: VideoStatus, other: VideoStatus, match: DuplicateStatus) -> Figure | None:
        """None where the fingerprints are of another algorithm, or gone."""
        if one.content_id is None or other.content_id is None:
            return None
        known = self._behind.source.fingerprints({one.content_id, other.content_id})
        if not {one.content_id, other.content_id} <= known.keys():
            return None
        a, b = known[one.content_id], known[other.content_id]
        segments = match.segments[:_MOST_EXPLAINED]
        whys = [
            explain(a, b, segment, before_s=before, after_s=after)
            for segment, (before, after) in zip(segments, margins(segments), strict=True)
        ]
        return draw(whys)


def draw(whys: Sequence[Explanation]) -> Figure | None:
    """The plot of what speaks for these segments; None if there are none."""
    if not whys:
        return None
    scale = Scale(min(why.start_s for why in whys), max(why.end_s for why in whys))
    guises = [said for why in whys if (said := say_guise(why.guise))]
    return Figure(
        scale,
        tuple(scale.span(why.segment.a_start_s, why.segment.a_end_s) for why in whys),
        drawing.lane([(why, why.frames) for why in whys], scale, LANE_HEIGHT, alike=_ALIKE_FRAME),
        drawing.lane([(why, why.sounds) for why in whys], scale, LANE_HEIGHT, alike=_ALIKE_SOUND),
        drawing.cut_ticks([why.mine for why in whys], scale),
        drawing.cut_ticks([why.theirs for why in whys], scale),
        sum(int(why.mine.matched.sum()) for why in whys),
        guises[0] if guises else "",
    )


def margins(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """How far to look before and after each segment: not into its neighbours."""
    found = []
    for n, segment in enumerate(segments):
        before = segment.a_start_s - segments[n - 1].a_end_s if n else _MARGIN_S * 2
        after = segments[n + 1].a_start_s - segment.a_end_s if n + 1 < len(segments) else _MARGIN_S * 2
        found.append((min(max(before, 0.0) / 2, _MARGIN_S), min(max(after, 0.0) / 2, _MARGIN_S)))
    return found


def weigh(evidence: Evidence) -> list[Weight]:
    """The weights as bars; the longest takes all of the width."""
    most = max((abs(nats) for nats in evidence.weights.values()), default=0.0) or 1.0
    return [
        Weight(said, evidence.weights[kind], round(abs(evidence.weights[kind]) / most * 100, 1))
        for kind, said in KINDS.items()
        if abs(evidence.weights.get(kind, 0.0)) >= 0.05
    ]


def length_s(status: VideoStatus) -> float:
    """How long a video is; what its cuts and matches reach to, if the file does not say."""
    declared = status.media.duration_s if status.media else None
    return declared or max([1.0, *status.scene_cuts[-1:]])


def _track(match: DuplicateStatus | None, one: VideoStatus, other: VideoStatus) -> dict[str, object]:
    """What the players have to know: which seconds lie on which."""
    segments = match.segments if match else ()
    return {
        "segments": [[s.a_start_s, s.a_end_s, s.b_start_s, s.b_end_s] for s in segments],
        "lengths": [length_s(one), length_s(other)],
        "rate": (one.media.frame_rate if one.media else None) or 25,
    }
