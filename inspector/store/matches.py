"""Matches: pairs of contents that share material, each stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import ALGORITHM, Evidence, Match, Segment, Verdict
from inspector.store.tables import ContentRow, MatchRow

_segments: Final = TypeAdapter(tuple[Segment, ...])
_evidence: Final = TypeAdapter(Evidence)


@dataclass(frozen=True, slots=True)
class Pair:
    """A match between two contents, as seen from content_a: the one whose sha256 is smaller.

    algorithm: the older one of their fingerprints.
    """

    content_a: int
    content_b: int
    match: Match
    algorithm: int = ALGORITHM


def save(tx: Session, pairs: Sequence[Pair]) -> None:
    """Upsert matches, in the order of their keys, so that concurrent workers never wait in a circle."""
    for pair in sorted(pairs, key=lambda p: (p.content_a, p.content_b)):
        values = {
            "algorithm": pair.algorithm,
            "score": pair.match.score,
            "speed": pair.match.speed,
            "verdict": pair.match.verdict,
            "segments": [asdict(segment) for segment in pair.match.segments],
            "evidence": asdict(pair.match.evidence),
            "updated_at": func.clock_timestamp(),
        }
        statement = insert(MatchRow).values(content_a=pair.content_a, content_b=pair.content_b, **values)
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["content_a", "content_b"],
                set_=values,
                where=MatchRow.algorithm <= statement.excluded.algorithm,
            )
        )


def drop_outdated(tx: Session, content_id: int) -> None:
    """Forget what an older algorithm has found between this content, just searched, and others of today.

    Both have been compared since, and they do not match any more. After `contents.touch_neighbours`, which
    makes two that are searched at the same moment wait for each other, and `contents.mark_searched`.
    """
    for mine, theirs in (
        (MatchRow.content_a, MatchRow.content_b),
        (MatchRow.content_b, MatchRow.content_a),
    ):
        tx.execute(
            delete(MatchRow).where(
                mine == content_id,
                MatchRow.algorithm < ALGORITHM,
                ContentRow.id == theirs,
                ContentRow.algorithm == ALGORITHM,
                ContentRow.searched,
            )
        )


def seen_from(tx: Session, content_id: int) -> dict[int, Match]:
    """All stored matches of a content, as seen from it, by the other's id."""
    rows = tx.scalars(
        select(MatchRow).where(
            or_(MatchRow.content_a == content_id, MatchRow.content_b == content_id),
            MatchRow.algorithm == ALGORITHM,
        )
    )
    return {
        (row.content_b if row.content_a == content_id else row.content_a): (
            match_of(row) if row.content_a == content_id else match_of(row).flipped()
        )
        for row in rows
    }


def match_of(row: MatchRow) -> Match:
    """The stored match, as seen from its content_a."""
    return Match(
        segments=_segments.validate_python(row.segments),
        speed=row.speed,
        score=row.score,
        verdict=Verdict(row.verdict),
        evidence=_evidence.validate_python(row.evidence),
    )
