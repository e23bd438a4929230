"""The full comparison of two fingerprints: lines are proposed, looked along, and the best stretches kept.

The result depends on the two fingerprints alone, and says the same whichever comes first: the pair is put
into one order before anything is computed, and the answer is turned round if need be.
"""

from __future__ import annotations

from typing import Final

from inspector.matching.alignment import match_cuts
from inspector.matching.borders import find_borders
from inspector.matching.evidence import CUT_TOLERANCE_S, LineView, Stretch
from inspector.matching.guises import GUISES
from inspector.matching.proposals import look_alike, propose_lines
from inspector.matching.refinement import refine_line
from inspector.matching.score import log_odds, probability
from inspector.matching.verdict import decide_verdict
from inspector.matching.votes import join_votes, picture_votes, sound_votes
from inspector.model import Evidence, Fingerprint, Match, Segment

#: A match below this score is not told at all.
LEAST_SCORE: Final = 0.02
#: With so many nats no further guise is tried.
ENOUGH_NATS: Final = 60.0
#: Cuts at equal absolute times count as evidence from three on.
ABSOLUTE_CUTS: Final = 3
#: Weaker stretches are not worth refining.
REFINED_NATS: Final = 4.0
#: A further stretch needs so many nats of its own.
FURTHER_NATS: Final = 6.0


def compare(a: Fingerprint, b: Fingerprint, *, least_score: float = LEAST_SCORE) -> Match | None:
    """What a and b share; None if there is nothing above chance, or a score below `least_score`.

    Where the index believes b to lie is not asked: that may depend on what else is in it, and the result
    must not.
    """
    if _order(a) <= _order(b):
        return _compare(a, b, least_score)
    match = _compare(b, a, least_score)
    return match.flipped() if match else None


def _order(f: Fingerprint) -> tuple[float, tuple[bytes, ...]]:
    arrays = (f.frame_hashes, f.sound_hashes, f.cuts_s, f.motion_hashes, f.view_hashes)
    return f.duration_s, tuple(array.tobytes() for array in arrays)


def _compare(a: Fingerprint, b: Fingerprint, least_score: float) -> Match | None:
    """a: the shorter one."""
    found: list[Stretch] = []
    sounds = sound_votes(a, b)
    for number, guise in enumerate(GUISES):
        mine, theirs = guise.show_a(a), guise.show_b(b)
        if number and not look_alike(mine, theirs):
            continue
        votes = join_votes(picture_votes(mine, theirs), sounds)
        for line in propose_lines(votes, a.duration_s, number):
            found += LineView(mine, theirs, line).stretches()
        if max((s.nats for s in found), default=0.0) >= ENOUGH_NATS:
            break
    kept = _without_overlaps([_refined(a, b, s) for s in _without_overlaps(found)])
    match = _match(a, b, kept) if kept else None
    return match if match and match.score >= least_score else None


def _refined(a: Fingerprint, b: Fingerprint, stretch: Stretch) -> Stretch:
    """The same stretch on the best line nearby, unless that says less."""
    if stretch.nats < REFINED_NATS:
        return stretch
    guise = GUISES[stretch.line.guise]
    a, b = guise.show_a(a), guise.show_b(b)
    line = refine_line(a, b, stretch.line, stretch.start_s, stretch.end_s)
    here = [s for s in LineView(a, b, line).stretches() if _overlap(s, stretch)]
    return max([*here, stretch], key=lambda s: s.nats)


def _without_overlaps(found: list[Stretch]) -> list[Stretch]:
    """The strongest stretches of which no two explain the same times on both sides, by time."""
    kept: list[Stretch] = []
    for stretch in sorted(found, key=lambda s: (-s.nats, s.start_s, s.line)):
        if kept and stretch.nats - stretch.presence_nats < FURTHER_NATS:
            continue
        if not any(_overlap(stretch, other) for other in kept):
            kept.append(stretch)
    return sorted(kept, key=lambda s: s.start_s)


def _overlap(s: Stretch, t: Stretch) -> bool:
    """Whether the two share times on both sides."""
    return _shares((s.start_s, s.end_s), (t.start_s, t.end_s)) and _shares(_there(s), _there(t))


def _there(s: Stretch) -> tuple[float, float]:
    return s.line.speed * s.start_s + s.line.offset_s, s.line.speed * s.end_s + s.line.offset_s


def _shares(s: tuple[float, float], t: tuple[float, float]) -> bool:
    return min(s[1], t[1]) - max(s[0], t[0]) > 0.3


def _match(a: Fingerprint, b: Fingerprint, stretches: list[Stretch]) -> Match:
    odds = log_odds(stretches)
    absolute = len(match_cuts(a.cuts_s, b.cuts_s, tolerance_s=CUT_TOLERANCE_S)[0])
    segments = tuple(sorted((_segment(a, b, s) for s in stretches), key=lambda s: s.order))
    evidence = Evidence(
        cuts=sum(s.cuts for s in stretches),
        frames=sum(s.frames for s in stretches),
        sounds=sum(s.sounds for s in stretches),
        absolute_cuts=absolute if absolute >= ABSOLUTE_CUTS else 0,
        weights=odds,
    )
    speed = max(stretches, key=lambda s: s.nats).line.speed
    verdict = decide_verdict(segments, a.duration_s, b.duration_s)
    return Match(segments, speed, probability(odds), verdict, evidence)


def _segment(a: Fingerprint, b: Fingerprint, stretch: Stretch) -> Segment:
    line = stretch.line
    start, end = find_borders(a, b, line, stretch.start_s, stretch.end_s, seen=stretch.frames > 0)
    there = [max(line.speed * t + line.offset_s, 0.0) for t in (start, end)]
    return Segment(start, end, there[0], there[1], probability(log_odds([stretch])))
