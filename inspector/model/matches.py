"""What two contents share, and what people say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What a match amounts to (see `inspector.matching.verdict`)."""

    DUPLICATE = "duplicate"
    CONTAINED = "contained"
    PARTIAL = "partial"
    COMMON = "common"


class Decision(StrEnum):
    """What a person says of a pair, or of a stretch (COMMON, NOT_COMMON). UNDO takes a decision back."""

    DUPLICATE = "duplicate"
    NOT_A_MATCH = "not_a_match"
    SAME_SOURCE = "same_source"
    COMMON = "common"
    NOT_COMMON = "not_common"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A content that shares landmarks with the query at a consistent offset (reference minus query)."""

    content_id: int
    votes: float
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Segment:
    """`[a_start_s, a_end_s)` of one content lies on `[b_start_s, b_end_s)` of the other."""

    a_start_s: float
    a_end_s: float
    b_start_s: float
    b_end_s: float
    score: float

    @property
    def speed(self) -> float:
        """Seconds of b that pass per second of a."""
        return (self.b_end_s - self.b_start_s) / max(self.a_end_s - self.a_start_s, 1e-9)

    @property
    def order(self) -> tuple[float, float]:
        """Segments are listed by where they start here, then there; what differs by rounding is equal."""
        return round(self.a_start_s, 6), round(self.b_start_s, 6)

    def flipped(self) -> Segment:
        """The same segment seen from the other side."""
        return Segment(self.b_start_s, self.b_end_s, self.a_start_s, self.a_end_s, self.score)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much each kind of evidence speaks for a match; counts, and its share of the score.

    cuts, frames, sounds: agreeing items.  absolute_cuts: cuts at equal absolute times in both contents.
    identical_streams: the same packets in another container.
    weights: what each kind contributed, by name; natural-log odds, which add up to those of the score.
    """

    cuts: int = 0
    frames: int = 0
    sounds: int = 0
    absolute_cuts: int = 0
    identical_bytes: bool = False
    identical_streams: bool = False
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """Two contents share material. Seen from a; `flipped` shows it from b."""

    segments: tuple[Segment, ...]
    speed: float
    score: float
    verdict: Verdict
    evidence: Evidence

    def flipped(self) -> Match:
        """The same match seen from the other side."""
        segments = tuple(sorted((s.flipped() for s in self.segments), key=lambda s: s.order))
        return Match(segments, 1 / self.speed, self.score, self.verdict, self.evidence)


def identical_match(duration_s: float) -> Match:
    """The match of two files with the same bytes: all of one lies on all of the other."""
    whole = Segment(0.0, duration_s, 0.0, duration_s, 1.0)
    return Match((whole,), 1.0, 1.0, Verdict.DUPLICATE, Evidence(identical_bytes=True))
