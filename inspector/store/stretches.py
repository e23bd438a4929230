"""Common stretches: an intro, a jingle or black that many unrelated videos share, each noted once.

And what people ruled of them: such a stretch is common, or is not, wherever it occurs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from sqlalchemy import ColumnElement, delete, func, insert, or_, select
from sqlalchemy.orm import Session, aliased

from inspector.model import Decision, Match, State, Verdict
from inspector.store.common import Kin, Ruling, carry, find_common, find_stretches
from inspector.store.decisions import WHOLE
from inspector.store.matches import match_of
from inspector.store.tables import (
    CommonStretchRow,
    ContentRow,
    DecisionRow,
    MatchRow,
    RecordingSegmentRow,
    StandingDecisionRow,
    VideoRow,
)

#: So many of a content's matches are looked at; what more than that share is common in any case.
_MOST_MATCHES: Final = 300

Found = dict[int, list[tuple[int, Match]]]  # content id -> (the other content, the match seen from this one)


def find_anew(tx: Session, content_ids: Collection[int], *, min_score: float, least: int) -> None:
    """Look again for common stretches of these contents.

    A stretch is noted at the content with the smallest id of all that share it; matches are looked at in the
    order of ids, so nobody but that one has to count them all.
    """
    tx.execute(delete(CommonStretchRow).where(CommonStretchRow.content_id.in_(content_ids)))
    for content_id in _with_many(tx, content_ids, min_score, least):
        found = _first_matches(tx, content_id, min_score)
        shown = shown_among(tx, {content_id, *(other for other, _ in found)})
        found = [(other, match) for other, match in found if {content_id, other} <= shown]
        kin = kin_of(tx, {content_id, *(other for other, _ in found)})
        for stretch in find_stretches(content_id, found, kin, least=least):
            if content_id < min(stretch.others):
                tx.execute(
                    insert(CommonStretchRow).values(
                        content_id=content_id,
                        start_ms=round(stretch.start_s * 1000),
                        end_ms=round(stretch.end_s * 1000),
                        shared_by=len(stretch.others),
                    )
                )


def shown_among(tx: Session, content_ids: Collection[int]) -> set[int]:
    """Those that an inspected video names."""
    query = select(VideoRow.content_id).where(
        VideoRow.content_id.in_(content_ids), VideoRow.state == State.DONE
    )
    return {content_id for content_id in tx.scalars(query) if content_id is not None}


def matches_of(tx: Session, content_ids: Collection[int], least: float) -> Found:
    """All matches of each content with a score of at least `least`."""
    found: Found = defaultdict(list)
    wanted = set(content_ids)
    if not wanted:
        return found
    query = select(MatchRow).where(
        or_(MatchRow.content_a.in_(wanted), MatchRow.content_b.in_(wanted)), MatchRow.score >= least
    )
    for row in tx.scalars(query):
        match = match_of(row)
        if row.content_a in wanted:
            found[row.content_a].append((row.content_b, match))
        if row.content_b in wanted:
            found[row.content_b].append((row.content_a, match.flipped()))
    return found


def label_common(tx: Session, found: Found, least: int) -> None:
    """Give the verdict `common` to the matches that deserve it. least: see `common.find_common`."""
    neighbours = {other for pairs in found.values() for other, _ in pairs}
    ruled = _rulings(tx, neighbours | set(found))
    many = {other for pairs in found.values() if len(pairs) >= least or ruled for other, _ in pairs}
    kin = kin_of(tx, many | set(found))
    for content_id, pairs in found.items():
        rulings = [*ruled.get(content_id, ())]
        rulings += [r for other, match in pairs for each in ruled.get(other, ()) for r in carry(each, match)]
        common = find_common(content_id, pairs, kin, least=least, rulings=rulings)
        if common:
            aired = airings_among(tx, {content_id, *(other for other, _ in pairs)})
            if content_id in aired:
                common = find_common(content_id, pairs, kin, least=least, rulings=rulings, airings=aired)
        found[content_id] = [
            (other, replace(match, verdict=Verdict.COMMON) if other in common else match)
            for other, match in pairs
        ]


def airings_among(tx: Session, content_ids: Collection[int]) -> set[int]:
    """Those that are pieces of recordings."""
    query = (
        select(VideoRow.content_id)
        .join(RecordingSegmentRow, RecordingSegmentRow.key == VideoRow.key)
        .where(VideoRow.content_id.in_(content_ids))
    )
    return {content_id for content_id in tx.scalars(query) if content_id is not None}


def _rulings(tx: Session, content_ids: set[int]) -> dict[int, list[Ruling]]:
    """What is in force for stretches of these contents."""
    query = (
        select(ContentRow.id, DecisionRow.start_ms, DecisionRow.end_ms, DecisionRow.kind)
        .join(StandingDecisionRow, StandingDecisionRow.sha256_a == ContentRow.sha256)
        .join(DecisionRow, DecisionRow.id == StandingDecisionRow.decision_id)
        .where(ContentRow.id.in_(content_ids), StandingDecisionRow.start_ms != WHOLE)
        .order_by(DecisionRow.id.desc())  # of those that overlap, the latest counts
    )
    ruled: dict[int, list[Ruling]] = defaultdict(list)
    for content_id, start_ms, end_ms, kind in tx.execute(query):
        ruled[content_id].append(Ruling(start_ms / 1000, end_ms / 1000, kind == Decision.COMMON))
    return ruled


def kin_of(tx: Session, content_ids: set[int]) -> list[Kin]:
    """Who of these holds whom."""
    a, b = aliased(ContentRow), aliased(ContentRow)
    query = (
        select(MatchRow.content_a, MatchRow.content_b, MatchRow.verdict, a.duration_s >= b.duration_s)
        .join(a, a.id == MatchRow.content_a)
        .join(b, b.id == MatchRow.content_b)
        .where(MatchRow.content_a.in_(content_ids), MatchRow.content_b.in_(content_ids))
        .where(MatchRow.verdict != Verdict.PARTIAL)
    )
    return [
        Kin(*((one, other) if first_is_longer else (other, one)), Verdict(verdict))
        for one, other, verdict, first_is_longer in tx.execute(query)
    ]


def _with_many(tx: Session, content_ids: Collection[int], min_score: float, least: int) -> list[int]:
    """Those with so many partial matches that something of them may be common."""
    counted: dict[int, int] = defaultdict(int)
    for side in (MatchRow.content_a, MatchRow.content_b):
        query = select(side, func.count()).where(side.in_(content_ids), MatchRow.verdict == Verdict.PARTIAL)
        for content_id, count in tx.execute(query.where(MatchRow.score >= min_score).group_by(side)):
            counted[content_id] += count
    return sorted(content_id for content_id, count in counted.items() if count >= least)


def _first_matches(tx: Session, content_id: int, min_score: float) -> list[tuple[int, Match]]:
    """The matches of a content with the others of the smallest ids; its copies and wholes come first."""
    whole = _matches(tx, content_id, MatchRow.verdict != Verdict.PARTIAL, min_score)
    partial = _matches(tx, content_id, MatchRow.verdict == Verdict.PARTIAL, min_score)
    return [*whole, *partial]


def _matches(
    tx: Session, content_id: int, wanted: ColumnElement[bool], min_score: float
) -> list[tuple[int, Match]]:
    seen: list[tuple[int, Match]] = []
    for mine, others in (
        (MatchRow.content_a, MatchRow.content_b),
        (MatchRow.content_b, MatchRow.content_a),
    ):
        query = select(MatchRow).where(mine == content_id, wanted, MatchRow.score >= min_score)
        for row in tx.scalars(query.order_by(others).limit(_MOST_MATCHES)):
            first = row.content_a == content_id
            match = match_of(row)
            seen.append((row.content_b, match) if first else (row.content_a, match.flipped()))
    return sorted(seen, key=lambda pair: pair[0])[:_MOST_MATCHES]
