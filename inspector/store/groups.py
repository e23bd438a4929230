"""Groups and pairs as a person sees them: who is in them, what matches what, and what lies beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from inspector.errors import UnknownSubject
from inspector.model import Decision, Library, Match, MediaInfo, State, Verdict
from inspector.review import Copy, GroupId, PairId
from inspector.store.contents import media_type
from inspector.store.decisions import WHOLE, About, Ids, decided_about, last_said, pair_of
from inspector.store.matches import match_of
from inspector.store.stretches import label_common, matches_of
from inspector.store.tables import (
    ContentRow,
    DecisionRow,
    GroupMemberRow,
    GroupRow,
    MatchRow,
    StandingDecisionRow,
    VideoRow,
)

MOST_RELATIONS: Final = 100  # pairs shown beside a group, the surest first


@dataclass(frozen=True, slots=True)
class Video:
    """An inspected video, as what may be kept or go."""

    id: int
    bucket: str
    key: str
    etag: str
    size_bytes: int
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A content with the videos that name it now, by key; there is at least one."""

    content_id: int
    sha256: bytes
    duration_s: float
    media: MediaInfo
    videos: tuple[Video, ...]

    def copies(self) -> tuple[Copy, ...]:
        """Its videos, to be weighed against others."""
        return tuple(
            Copy(v.id, v.key, v.size_bytes, v.uploaded_at, self.duration_s, self.media) for v in self.videos
        )


@dataclass(frozen=True, slots=True)
class PairView:
    """Two contents that match. match: as seen from a; `common` if only many unrelated ones share it.

    revision: changes with the match, and with every decision about the pair.
    """

    id: PairId
    revision: int
    a: Member
    b: Member
    match: Match
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group: every two of its members are duplicates. score: of its weakest pair."""

    id: GroupId
    revision: int
    score: float
    undecided: bool
    members: tuple[Member, ...]

    def copies(self) -> tuple[Copy, ...]:
        return tuple(copy for member in self.members for copy in member.copies())


# ---------------------------------------------------------------- groups


def page(
    tx: Session, *, after: tuple[float, int] | None, limit: int, undecided: bool | None
) -> list[GroupView]:
    """The surest groups first; after: score and number of the last one of the page before."""
    query = select(GroupRow).where(GroupRow.size > 0)
    if undecided is not None:
        query = query.where(GroupRow.undecided.is_(undecided))
    if after is not None:
        score, number = after
        query = query.where(GroupRow.score <= score, or_(GroupRow.score < score, GroupRow.id > number))
    return _views(tx, tx.scalars(query.order_by(GroupRow.score.desc(), GroupRow.id).limit(limit)).all())


def find(tx: Session, group: GroupId) -> GroupView:
    """One group. Raises UnknownSubject if there never was one, or it is no more."""
    row = tx.get(GroupRow, group.number, populate_existing=True)
    views = _views(tx, [row]) if row is not None and row.size else []
    if not views:
        raise UnknownSubject(f"there is no group {group}" + ("" if row is None else " any more"))
    return views[0]


def containing(tx: Session, content_id: int) -> list[GroupView]:
    """The groups that a content is in."""
    query = select(GroupRow).join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
    query = query.where(GroupMemberRow.content_id == content_id, GroupMemberRow.until.is_(None))
    return _views(tx, tx.scalars(query.order_by(GroupRow.score.desc(), GroupRow.id)).all())


def pairs_of(tx: Session, group: GroupView) -> list[PairView]:
    """The pairs of a group, by the ids of their contents."""
    members = {member.content_id: member for member in group.members}
    query = select(MatchRow).where(MatchRow.content_a.in_(members), MatchRow.content_b.in_(members))
    decided = decided_about(tx, members)
    return [
        _pair(tx, row, members, match_of(row), decided)
        for row in tx.scalars(query.order_by(MatchRow.content_a, MatchRow.content_b))
    ]


def relations_of(tx: Session, group: GroupView, *, min_score: float, common_from: int) -> list[PairView]:
    """What members share with others outside the group: parts, and duplicates of some members only.

    What is common material, or was said to be no match, is left out.
    """
    inside = {member.content_id for member in group.members}
    found = matches_of(tx, inside, min_score)
    label_common(tx, found, common_from)
    decided = decided_about(tx, inside)
    wanted = {
        pair_of(content_id, other): match.score
        for content_id, pairs in found.items()
        for other, match in pairs
        if other not in inside
        and match.verdict is not Verdict.COMMON
        and decided.get(pair_of(content_id, other)) not in (Decision.NOT_A_MATCH, Decision.COMMON)
    }
    surest = sorted(wanted, key=lambda ids: (-wanted[ids], ids))[:MOST_RELATIONS]
    return _pairs(tx, surest, decided)


# ---------------------------------------------------------------- pairs


def find_pair(tx: Session, pair: PairId) -> PairView:
    """One pair, whichever way round it is named. Raises UnknownSubject."""
    found = _pairs(tx, [(pair.content_a, pair.content_b)])
    if not found:
        raise UnknownSubject(f"there is no pair {pair} of videos that are there and match")
    return found[0]


def page_of_pairs(
    tx: Session,
    verdict: Verdict,
    *,
    after: tuple[float, int, int] | None,
    limit: int,
    undecided: bool | None,
    min_score: float,
) -> list[PairView]:
    """Stored pairs of this verdict, the surest first, common ones among them; undecided: None: all.

    after: score and contents (a, b) of the last one of the page before.
    """
    query = _shown_pairs(undecided).where(MatchRow.verdict == verdict, MatchRow.score >= min_score)
    if after is not None:
        score, a, b = after
        later = or_(MatchRow.content_a > a, and_(MatchRow.content_a == a, MatchRow.content_b > b))
        query = query.where(MatchRow.score <= score, or_(MatchRow.score < score, later))
    order = (MatchRow.score.desc(), MatchRow.content_a, MatchRow.content_b)
    rows = tx.scalars(query.order_by(*order).limit(limit)).all()
    return _pairs(tx, [(row.content_a, row.content_b) for row in rows])


def without_common(
    tx: Session, pairs: Sequence[PairView], *, min_score: float, common_from: int
) -> list[PairView]:
    """Those that share more than what many unrelated videos share; seen from either side."""
    ids = {member.content_id for pair in pairs for member in (pair.a, pair.b)}
    found = matches_of(tx, ids, min_score)
    label_common(tx, found, common_from)
    common = {
        pair_of(content_id, other)
        for content_id, matches in found.items()
        for other, match in matches
        if match.verdict is Verdict.COMMON
    }
    return [pair for pair in pairs if pair_of(pair.id.content_a, pair.id.content_b) not in common]


def _shown_pairs(undecided: bool | None) -> Select[MatchRow]:
    a, b = aliased(ContentRow), aliased(ContentRow)
    query = (
        select(MatchRow)
        .join(a, a.id == MatchRow.content_a)
        .join(b, b.id == MatchRow.content_b)
        .where(a.library == Library.BUCKET)
    )
    for side in (a, b):
        there = select(VideoRow.id).where(VideoRow.content_id == side.id, VideoRow.state == State.DONE)
        query = query.where(there.exists())
    if undecided is not None:
        standing = select(StandingDecisionRow.decision_id).where(
            StandingDecisionRow.sha256_a == a.sha256,
            StandingDecisionRow.sha256_b == b.sha256,
            StandingDecisionRow.start_ms == WHOLE,
        )
        query = query.where(~standing.exists() if undecided else standing.exists())
    return query


def _pairs(tx: Session, ids: Sequence[Ids], decided: dict[Ids, Decision] | None = None) -> list[PairView]:
    """These pairs, in this order; those whose videos are gone are left out."""
    contents = {content_id for pair in ids for content_id in pair}
    members = load_members(tx, contents)
    decided = decided_about(tx, contents) if decided is None else decided
    query = select(MatchRow).where(MatchRow.content_a.in_(contents), MatchRow.content_b.in_(contents))
    rows = {pair_of(row.content_a, row.content_b): row for row in tx.scalars(query)}
    return [
        _pair(tx, row, members, match_of(row), decided)
        for pair in ids
        if (row := rows.get(pair_of(*pair))) and row.content_a in members and row.content_b in members
    ]


def _pair(
    tx: Session, row: MatchRow, members: dict[int, Member], match: Match, decided: dict[Ids, Decision]
) -> PairView:
    a, b = members[row.content_a], members[row.content_b]
    decision = decided.get(pair_of(row.content_a, row.content_b))
    said = last_said(tx, About(a.sha256, b.sha256))
    if decision is Decision.COMMON:
        match = replace(match, verdict=Verdict.COMMON)
    revision = max(row.revision, said.revision if said else 0)
    return PairView(PairId(row.content_a, row.content_b), revision, a, b, match, decision)


# ---------------------------------------------------------------- members


def load_members(tx: Session, content_ids: Collection[int]) -> dict[int, Member]:
    """The contents that inspected videos name, by id."""
    query = (
        select(ContentRow.id, ContentRow.sha256, ContentRow.duration_s, ContentRow.media)
        .add_columns(VideoRow.id.label("video_id"), VideoRow.bucket, VideoRow.key, VideoRow.etag)
        .add_columns(VideoRow.size_bytes, VideoRow.created_at)
        .join(VideoRow, VideoRow.content_id == ContentRow.id)
        .where(ContentRow.id.in_(content_ids), VideoRow.state == State.DONE)
        .order_by(VideoRow.key)
    )
    rows: dict[int, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    for row in tx.execute(query):
        rows[row.id].append(row)
    return {content_id: _member(videos) for content_id, videos in rows.items()}


def _member(rows: Sequence[Row[*tuple[Any, ...]]]) -> Member:
    first = rows[0]
    return Member(
        content_id=first.id,
        sha256=bytes(first.sha256),
        duration_s=first.duration_s,
        media=media_type.validate_python(first.media),
        videos=tuple(
            Video(row.video_id, row.bucket, row.key, row.etag, row.size_bytes, row.created_at) for row in rows
        ),
    )


def _views(tx: Session, rows: Sequence[GroupRow]) -> list[GroupView]:
    query = select(GroupMemberRow.group_id, GroupMemberRow.content_id).where(
        GroupMemberRow.group_id.in_([row.id for row in rows]), GroupMemberRow.until.is_(None)
    )
    named: dict[int, list[int]] = defaultdict(list)
    for number, content_id in tx.execute(query.order_by(GroupMemberRow.content_id)):
        named[number].append(content_id)
    members = load_members(tx, {content_id for ids in named.values() for content_id in ids})
    return [
        GroupView(
            id=GroupId(row.id),
            revision=row.revision,
            score=row.score,
            undecided=row.undecided,
            members=tuple(members[content_id] for content_id in named[row.id] if content_id in members),
        )
        for row in rows
    ]


# ---------------------------------------------------------------- what has changed


def changes_of_group(tx: Session, group: GroupId, since: int) -> tuple[str, ...]:
    """What has changed of a group since a revision, in words."""
    query = select(GroupMemberRow).where(GroupMemberRow.group_id == group.number)
    rows = tx.scalars(query.order_by(GroupMemberRow.content_id)).all()
    before = {row.content_id for row in rows if row.since <= since and (row.until or since + 1) > since}
    now = {row.content_id for row in rows if row.until is None}
    said = [f"joined: {name}" for name in _names(tx, now - before)]
    said += [f"left: {name}" for name in _names(tx, before - now)]
    said += _decided_since(tx, before & now, since)
    said += _matched_since(tx, before & now, since)
    return tuple(said) or ("other files hold these videos now",)


def changes_of_pair(tx: Session, pair: PairView, since: int) -> tuple[str, ...]:
    ids = {pair.id.content_a, pair.id.content_b}
    return (*_decided_since(tx, ids, since), *_matched_since(tx, ids, since))


def _decided_since(tx: Session, content_ids: set[int], since: int) -> list[str]:
    sha256s = select(ContentRow.sha256).where(ContentRow.id.in_(content_ids))
    query = select(DecisionRow.number, DecisionRow.actor, DecisionRow.kind).where(
        DecisionRow.sha256_a.in_(sha256s), DecisionRow.sha256_b.in_(sha256s), DecisionRow.revision > since
    )
    return [
        f"{actor} decided d{number}: {kind}"
        for number, actor, kind in tx.execute(query.distinct().order_by(DecisionRow.number))
    ]


def _matched_since(tx: Session, content_ids: set[int], since: int) -> list[str]:
    query = select(MatchRow.content_a, MatchRow.content_b, MatchRow.verdict, MatchRow.score).where(
        MatchRow.content_a.in_(content_ids), MatchRow.content_b.in_(content_ids), MatchRow.revision > since
    )
    return [f"p{a}-{b} matches otherwise: {v}, {score:.2f}" for a, b, v, score in tx.execute(query)]


def _names(tx: Session, content_ids: set[int]) -> list[str]:
    """How people call these contents: the keys that name them, else that they have no name any more."""
    members = load_members(tx, content_ids)
    return [
        ", ".join(video.key for video in members[each].videos) if each in members else "a removed video"
        for each in sorted(content_ids)
    ]
