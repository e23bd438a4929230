"""The list of videos, page by page: filtered and ordered in the database, and stable while videos arrive.

A page begins after a position, not at a number: what comes meanwhile moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from inspector.model import State, Verdict
from inspector.store.tables import MatchRow, VideoRow

#: So many matches are read to know whose they are; asking each of 20,000 videos for its own takes 0.2 s.
FEW_MATCHES: Final = 1000


class Sort(StrEnum):
    """newest, oldest: by when we first saw the key.  key: in the order of its bytes, as S3 lists them."""

    NEWEST = "newest"
    OLDEST = "oldest"
    KEY = "key"


class Position(NamedTuple):
    """Where a video stands in the list."""

    video_id: int
    key: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which videos are wanted; what is empty or None excludes none.

    verdicts: videos that share so much with another one, by a match of at least `min_score`; whether what
    they share is common is judged later.  unmatched: inspected, and nothing was found.
    contains: anywhere in the key, whatever the case.  since, until: first seen in `[since, until)`.
    """

    states: tuple[State, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    unmatched: bool = False
    contains: str = ""
    prefix: str = ""
    key: str = ""
    since: datetime | None = None
    until: datetime | None = None
    min_score: float = 0.0


def find_page(
    tx: Session, bucket: str, wanted: Filter, sort: Sort, *, after: Position | None, limit: int
) -> list[Position]:
    """The positions of the videos that follow `after`, at most `limit`, in order."""
    query = select(VideoRow.id, VideoRow.key).where(VideoRow.bucket == bucket, *_conditions(wanted))
    few = _contents_of_few(tx, wanted)
    if few is not None:
        query = query.where(VideoRow.content_id.in_(few))
    query = _ordered(query, sort, after).limit(limit)
    return [Position(*row) for row in tx.execute(query)]


def _ordered(query: Select[int, str], sort: Sort, after: Position | None) -> Select[int, str]:
    if sort is Sort.KEY:
        query = query if after is None else query.where(VideoRow.key > after.key)
        return query.order_by(VideoRow.key)
    if sort is Sort.OLDEST:
        query = query if after is None else query.where(VideoRow.id > after.video_id)
        return query.order_by(VideoRow.id)
    query = query if after is None else query.where(VideoRow.id < after.video_id)
    return query.order_by(VideoRow.id.desc())


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.states:
        found.append(VideoRow.state.in_(wanted.states))
    if wanted.verdicts:
        found.append(_has_verdict(wanted.verdicts, wanted.min_score))
    if wanted.unmatched:
        found += [VideoRow.state == State.DONE, ~_has_verdict(tuple(Verdict), wanted.min_score)]
    if wanted.prefix:
        found.append(VideoRow.key.startswith(wanted.prefix, autoescape=True))
    if wanted.key:
        found.append(VideoRow.key == wanted.key)
    if wanted.contains:
        found.append(func.lower(VideoRow.key).contains(wanted.contains.lower(), autoescape=True))
    if wanted.since is not None:
        found.append(VideoRow.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(VideoRow.created_at < wanted.until)
    return found


def _has_verdict(verdicts: tuple[Verdict, ...], min_score: float) -> ColumnElement[bool]:
    """Whether the video is inspected and matches another inspected one so.

    `LIMIT 1` makes PostgreSQL ask for each video in turn: it would else look at all matches for one page.
    """
    twin, mine, theirs = aliased(VideoRow), MatchRow.content_a, MatchRow.content_b
    queries = [
        _match(mine, theirs, verdicts, min_score),
        _match(theirs, mine, verdicts, min_score),
    ]
    if Verdict.DUPLICATE in verdicts:
        same = twin.content_id == VideoRow.content_id
        queries.append(select(literal(1)).where(same, twin.state == State.DONE, twin.id != VideoRow.id))
    found = [query.limit(1).correlate(VideoRow).scalar_subquery().is_not(None) for query in queries]
    return (VideoRow.state == State.DONE) & or_(*found)


def _contents_of_few(tx: Session, wanted: Filter) -> set[int] | None:
    """All contents that match so, if they are few: else a page of what is rare would ask for every video.

    None: they are many, or copies of the same bytes are wanted too, which need no match.
    """
    if not wanted.verdicts or Verdict.DUPLICATE in wanted.verdicts:
        return None
    found = tx.execute(
        select(MatchRow.content_a, MatchRow.content_b)
        .where(MatchRow.verdict.in_(wanted.verdicts), MatchRow.score >= wanted.min_score)
        .limit(FEW_MATCHES + 1)
    ).all()
    return {each for pair in found for each in pair} if len(found) <= FEW_MATCHES else None


def _match(mine: Any, theirs: Any, verdicts: tuple[Verdict, ...], min_score: float) -> Select[int]:
    other = aliased(VideoRow)
    return (
        select(literal(1))
        .join_from(MatchRow, other, (other.content_id == theirs) & (other.state == State.DONE))
        .where(mine == VideoRow.content_id, MatchRow.verdict.in_(verdicts), MatchRow.score >= min_score)
    )
