"""Groups of duplicates, kept up to date: what has changed is grouped anew when somebody looks.

A trigger notes every content whose matches or videos have changed. Only those, and whoever is connected with
them by duplicates, are looked at again, so a look costs what has changed and not what there is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

from sqlalchemy import delete, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from inspector.model import ALGORITHM, Decision, Library, State, Verdict
from inspector.review import Edge, Group, form_groups
from inspector.store import stretches
from inspector.store.database import Database
from inspector.store.decisions import next_number, standing_among
from inspector.store.tables import (
    ContentRow,
    GroupingRow,
    GroupMemberRow,
    GroupRow,
    MatchRow,
    StaleGroupRow,
    VideoRow,
)

_AT_ONCE: Final = 5000  # changes taken in by one transaction
_ALL_THAT_MAY_BE_GROUPED: Final = text(
    """
    INSERT INTO stale_groups (content_id)
    SELECT content_a FROM matches UNION SELECT content_b FROM matches
    UNION SELECT content_id FROM group_members WHERE until IS NULL
    UNION SELECT content_id FROM videos WHERE content_id IS NOT NULL GROUP BY content_id HAVING count(*) > 1
    """
)
_BLIND: Final = {"synchronize_session": False}  # nobody reads these rows again before the commit
#: Who is said to be one of these is no duplicate.
NO_DUPLICATES: Final = frozenset({Decision.NOT_A_MATCH, Decision.COMMON})


class Rules(NamedTuple):
    """The settings that groups depend on. Where they change, everything is grouped anew."""

    min_score: float
    common_from: int

    def __str__(self) -> str:
        return f"algorithm {ALGORITHM}, min_score {self.min_score}, common_from {self.common_from}"


def refresh(db: Database, rules: Rules) -> None:
    """Take in all that has changed. One process at a time does it; the others wait for it."""
    more = True
    while more:
        with db.begin() as tx:
            more = _refresh_some(tx, rules)


def refresh_in(tx: Session, rules: Rules) -> None:
    """The same inside a transaction: nobody else regroups anything before it ends."""
    while _refresh_some(tx, rules):
        pass


def _refresh_some(tx: Session, rules: Rules) -> bool:
    """Take in a part of the changes. Returns whether there may be more."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("inspector grouping", 0))))
    _begin_anew_by_other_rules(tx, rules)
    oldest = select(StaleGroupRow.id).order_by(StaleGroupRow.id).limit(_AT_ONCE)
    taken = tx.scalars(
        delete(StaleGroupRow).where(StaleGroupRow.id.in_(oldest)).returning(StaleGroupRow.content_id)
    ).all()
    if taken:
        _regroup(tx, set(taken), rules)
        stretches.find_anew(tx, set(taken), min_score=rules.min_score, least=rules.common_from)
    return len(taken) == _AT_ONCE


def _begin_anew_by_other_rules(tx: Session, rules: Rules) -> None:
    if tx.scalars(select(GroupingRow.made_by)).all() == [str(rules)]:
        return
    tx.execute(delete(GroupingRow))
    tx.execute(insert(GroupingRow).values(made_by=str(rules)))
    tx.execute(delete(StaleGroupRow))
    tx.execute(_ALL_THAT_MAY_BE_GROUPED)


# ---------------------------------------------------------------- what there is


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Contents, and all that connects them. sha256: of those that videos name, by id; matched: pairs of
    duplicates, by sha256, with score and revision; decided: the standing decision of a pair, and its id.
    """

    sha256: dict[int, bytes]
    videos: dict[bytes, list[tuple[int, str, str]]]
    matched: dict[tuple[bytes, bytes], tuple[float, int]]
    decided: dict[tuple[bytes, bytes], tuple[Decision, int]]
    known: dict[int, frozenset[int]]  # groups as they were: number -> members

    def edges(self) -> Iterable[Edge]:
        for (a, b), (score, _) in self.matched.items():
            kind, _ = self.decided.get((a, b), (None, 0))
            if kind not in NO_DUPLICATES:
                yield Edge(a, b, score)

    def copied(self) -> Iterable[bytes]:
        return (sha256 for sha256, videos in self.videos.items() if len(videos) > 1)

    def pairs_of(self, group: Group) -> list[tuple[bytes, bytes]]:
        """All that is to be decided of a group: its pairs, and copies of the same bytes."""
        copied = [(m, m) for m in group.members if len(self.videos[m]) > 1]
        return [*combinations(group.members, 2), *copied]


def _regroup(tx: Session, touched: set[int], rules: Rules) -> None:
    around = _look_around(tx, touched, rules.min_score)
    ids = {sha256: content_id for content_id, sha256 in around.sha256.items()}
    formed = {
        frozenset(ids[m] for m in group.members): group
        for group in form_groups(around.edges(), around.copied())
    }
    numbers = _keep_numbers(formed, around.known)
    for members, group in formed.items():
        _store(tx, numbers.get(members), members, group, around)
    _dissolve(tx, set(around.known) - set(numbers.values()))


def _look_around(tx: Session, touched: set[int], min_score: float) -> _Surroundings:
    seen: set[int] = set()
    open_to = set(touched)
    known: dict[int, frozenset[int]] = {}
    found: list[tuple[int, int, float, int]] = []
    while open_to:
        seen |= open_to
        edges = _duplicates_of(tx, open_to, min_score)
        groups = _groups_with(tx, open_to)
        found += edges
        known |= groups
        open_to = {end for a, b, _, _ in edges for end in (a, b)}.union(*groups.values()) - seen
    linked = {end for a, b, _, _ in found for end in (a, b)}.union(*known.values())
    sha256, videos = _present(tx, linked | _copied(tx, touched))
    matched = {
        (sha256[a], sha256[b]): (score, revision)
        for a, b, score, revision in found
        if a in sha256 and b in sha256
    }
    return _Surroundings(sha256, videos, matched, standing_among(tx, set(videos)), known)


def _duplicates_of(tx: Session, content_ids: set[int], min_score: float) -> list[tuple[int, int, float, int]]:
    query = select(MatchRow.content_a, MatchRow.content_b, MatchRow.score, MatchRow.revision).where(
        or_(MatchRow.content_a.in_(content_ids), MatchRow.content_b.in_(content_ids)),
        MatchRow.verdict == Verdict.DUPLICATE,
        MatchRow.score >= min_score,
    )
    return [(a, b, score, revision) for a, b, score, revision in tx.execute(query)]


def _groups_with(tx: Session, content_ids: set[int]) -> dict[int, frozenset[int]]:
    """The groups, whole, that any of these contents is in."""
    numbers = select(GroupMemberRow.group_id).where(
        GroupMemberRow.content_id.in_(content_ids), GroupMemberRow.until.is_(None)
    )
    members: dict[int, set[int]] = defaultdict(set)
    query = select(GroupMemberRow.group_id, GroupMemberRow.content_id)
    for number, content_id in tx.execute(
        query.where(GroupMemberRow.group_id.in_(numbers), GroupMemberRow.until.is_(None))
    ):
        members[number].add(content_id)
    return {number: frozenset(contents) for number, contents in members.items()}


def _copied(tx: Session, content_ids: set[int]) -> set[int]:
    """Those that lie under several keys."""
    query = (
        select(VideoRow.content_id)
        .where(VideoRow.content_id.in_(content_ids), VideoRow.state == State.DONE)
        .group_by(VideoRow.content_id)
        .having(func.count() > 1)
    )
    return {content_id for content_id in tx.scalars(query) if content_id is not None}


def _present(
    tx: Session, content_ids: set[int]
) -> tuple[dict[int, bytes], dict[bytes, list[tuple[int, str, str]]]]:
    """The contents that inspected videos name, and those videos: id, key, ETag."""
    query = (
        select(ContentRow.id, ContentRow.sha256, VideoRow.id, VideoRow.key, VideoRow.etag)
        .join(VideoRow, VideoRow.content_id == ContentRow.id)
        .where(ContentRow.id.in_(content_ids), ContentRow.library == Library.BUCKET)
        .where(VideoRow.state == State.DONE)
        .order_by(VideoRow.id)
    )
    sha256: dict[int, bytes] = {}
    videos: dict[bytes, list[tuple[int, str, str]]] = defaultdict(list)
    for content_id, digest, video_id, key, etag in tx.execute(query):
        sha256[content_id] = bytes(digest)
        videos[bytes(digest)].append((video_id, key, etag))
    return sha256, videos


# ---------------------------------------------------------------- what is made of it


def _keep_numbers(
    formed: Collection[frozenset[int]], known: dict[int, frozenset[int]]
) -> dict[frozenset[int], int]:
    """Which group of before each group goes on as: the same one, else the one with most in common."""
    shared = sorted(
        (
            (members != before, -len(members & before), sorted(members), number)
            for members in formed
            for number, before in known.items()
            if members & before
        ),
    )
    numbers: dict[frozenset[int], int] = {}
    for _, _, listed, number in shared:
        members = frozenset(listed)
        if members not in numbers and number not in numbers.values():
            numbers[members] = number
    return numbers


def _store(
    tx: Session, number: int | None, members: frozenset[int], group: Group, around: _Surroundings
) -> None:
    """Write a group that looks different from before, as a new revision: old decisions are then refused."""
    digest = _digest(group, around)
    known = None if number is None else tx.get(GroupRow, number)
    if known is not None and known.digest == digest:
        return
    revision = next_number(tx)
    values = {
        "size": len(members),
        "score": group.score,
        "undecided": any(pair not in around.decided for pair in around.pairs_of(group)),
        "digest": digest,
        "revision": revision,
        "updated_at": func.clock_timestamp(),
    }
    if known is None:
        number = tx.scalar(insert(GroupRow).values(**values).returning(GroupRow.id))
    else:
        tx.execute(update(GroupRow).where(GroupRow.id == number).values(**values), execution_options=_BLIND)
    before = around.known.get(number or 0, frozenset())
    _leave(tx, number, before - members, revision)
    if joined := sorted(members - before):
        tx.execute(
            insert(GroupMemberRow),
            [{"group_id": number, "since": revision, "content_id": each} for each in joined],
        )


def _digest(group: Group, around: _Surroundings) -> bytes:
    """Changes whenever anything changes that a person was shown of the group."""
    pairs = [(around.matched.get(pair), around.decided.get(pair)) for pair in around.pairs_of(group)]
    videos = [around.videos[member] for member in group.members]
    return hashlib.sha256(repr((group, pairs, videos)).encode()).digest()


def _dissolve(tx: Session, numbers: set[int]) -> None:
    if not numbers:
        return
    revision = next_number(tx)
    for number in sorted(numbers):
        _leave(tx, number, None, revision)
    tx.execute(
        update(GroupRow)
        .where(GroupRow.id.in_(numbers))
        .values(size=0, undecided=False, digest=b"", revision=revision, updated_at=func.clock_timestamp())
    )


def _leave(tx: Session, number: int | None, gone: Collection[int] | None, revision: int) -> None:
    """These are in the group no longer; None: nobody is."""
    if gone is not None and not gone:
        return
    leaving = update(GroupMemberRow).where(GroupMemberRow.group_id == number, GroupMemberRow.until.is_(None))
    if gone is not None:
        leaving = leaving.where(GroupMemberRow.content_id.in_(gone))
    tx.execute(leaving.values(until=revision), execution_options=_BLIND)
