"""Reviewing: what a person looks at, decides, and takes back. The door for commands and the API.

Every look first takes in what has changed. Decisions are made in one transaction, one process at a time, all
or none of them, and are refused if what was looked at has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from inspector.errors import DecisionRefused, UnknownSubject
from inspector.model import Decision, State, Verdict
from inspector.review import GroupId, Keeper, PairId, StretchId, suggest_keeper
from inspector.store import decisions, grouping, groups
from inspector.store import judgements as judging
from inspector.store.database import Database
from inspector.store.decisions import About, Made
from inspector.store.groups import GroupView, Member, PairView
from inspector.store.judgements import Judgement, Outcome, Report
from inspector.store.tables import CommonStretchRow, ContentRow, GroupRow, VideoRow

T = TypeVar("T")

_MOST_LOOKS: Final = 20  # pages of pairs looked at for one page that is not common


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. after: says where the next part begins; None: this was the last."""

    items: tuple[T, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class GroupDetails:
    """A group, which copy to keep and why, its pairs, and beside it: parts, and who matches some members."""

    group: GroupView
    keeper: Keeper
    pairs: tuple[PairView, ...]
    relations: tuple[PairView, ...]


@dataclass(frozen=True, slots=True)
class CommonStretch:
    """A stretch that many unrelated videos share. shared_by: other contents; ruling: what a person said."""

    id: StretchId
    revision: int
    member: Member
    shared_by: int
    ruling: Decision | None


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How many groups there are, and how many of them are decided."""

    groups: int
    decided: int


class _NoneOfThem(Exception):
    """Rolls a transaction back."""


class Reviews:
    """All that concerns reviewing, around one database. Methods raise DatabaseUnavailable."""

    def __init__(
        self, db: Database, *, min_score: float, common_from: int, keeper_rules: Sequence[str]
    ) -> None:
        self._db = db
        self._rules = grouping.Rules(min_score, common_from)
        self._keeper_rules = tuple(keeper_rules)

    # ------------------------------------------------------------ looking

    def groups(
        self, *, after: str | None = None, limit: int = 50, undecided: bool | None = True
    ) -> Page[GroupView]:
        """Groups, the surest first; undecided: None: whether decided or not."""
        cursor = None if after is None else _cursor(after, float, int)
        grouping.refresh(self._db, self._rules)
        with self._db.begin() as tx:
            found = groups.page(tx, after=cursor, limit=limit + 1, undecided=undecided)
        return _page(found, limit, lambda group: (group.score, group.id.number))

    def group(self, group: GroupId) -> GroupDetails:
        """Raises UnknownSubject."""
        grouping.refresh(self._db, self._rules)
        with self._db.begin() as tx:
            return self._details(tx, groups.find(tx, group))

    def groups_of(self, bucket: str, key: str) -> list[GroupView]:
        """The groups that a video is in."""
        grouping.refresh(self._db, self._rules)
        with self._db.begin() as tx:
            content_id = tx.scalar(
                select(VideoRow.content_id).where(VideoRow.bucket == bucket, VideoRow.key == key)
            )
            return [] if content_id is None else groups.containing(tx, content_id)

    def suggest(self, copies: GroupView | PairView) -> Keeper:
        """Which copy is worth keeping, by the rules of the settings."""
        if isinstance(copies, PairView):
            return suggest_keeper((*copies.a.copies(), *copies.b.copies()), self._keeper_rules)
        return suggest_keeper(copies.copies(), self._keeper_rules)

    def pairs(
        self, verdict: Verdict, *, after: str | None = None, limit: int = 50, undecided: bool | None = True
    ) -> Page[PairView]:
        """Pairs of this verdict, the surest first; undecided: None: whether decided or not.

        Those that share only common material are left out.

        A page may have fewer than `limit` though another follows, where much of it was common.
        """
        cursor = None if after is None else _cursor(after, float, int, int)
        with self._db.begin() as tx:
            return self._pairs(tx, verdict, cursor, limit, undecided)

    def pair(self, pair: PairId) -> PairView:
        """Raises UnknownSubject."""
        with self._db.begin() as tx:
            return groups.find_pair(tx, pair)

    def common(self, *, after: str | None = None, limit: int = 50) -> Page[CommonStretch]:
        """Common stretches, each once, those that most share first."""
        cursor = None if after is None else _cursor(after, int, int, int, int)
        grouping.refresh(self._db, self._rules)
        with self._db.begin() as tx:
            found = _common(tx, cursor, limit + 1)
        return _page(found, limit, lambda s: (s.shared_by, s.id.content_id, s.id.start_ms, s.id.end_ms))

    def decisions(self, *, before: int | None = None, limit: int = 50) -> list[Made]:
        """The newest decisions first, undoings among them; before: the number to go on from."""
        with self._db.begin() as tx:
            return decisions.page(tx, before=before, limit=limit)

    def keys_of(self, made: Collection[Made]) -> dict[bytes, tuple[str, ...]]:
        """The keys under which the contents of these decisions lie now, by sha256."""
        sha256s = {s for each in made for e in each.entries for s in (e.about.sha256_a, e.about.sha256_b)}
        query = (
            select(ContentRow.sha256, VideoRow.key)
            .join(VideoRow, VideoRow.content_id == ContentRow.id)
            .where(ContentRow.sha256.in_(sha256s), VideoRow.state == State.DONE)
        )
        keys: dict[bytes, tuple[str, ...]] = {}
        with self._db.begin() as tx:
            for sha256, key in tx.execute(query.order_by(VideoRow.key)):
                keys[bytes(sha256)] = (*keys.get(bytes(sha256), ()), key)
        return keys

    def progress(self) -> ReviewProgress:
        grouping.refresh(self._db, self._rules)
        with self._db.begin() as tx:
            query = select(func.count(), func.count().filter(GroupRow.undecided.is_(False)))
            total, decided = tx.execute(query.where(GroupRow.size > 0)).one()
            return ReviewProgress(total, decided)

    # ------------------------------------------------------------ deciding

    def decide(self, judgements: Sequence[Judgement], *, actor: str) -> Report:
        """Remember what a person says, all of it or nothing; what is wrong with each stands in the report.

        Errors of the report: UnknownSubject, DecisionRefused, and DecisionOutdated for what has changed since
        the revision of the judgement.
        """
        with self._db.begin() as tx:
            grouping.refresh_in(tx, self._rules)
            return judging.save(tx, judgements, actor=actor)

    def undo(self, numbers: Sequence[int], *, actor: str, note: str | None = None) -> Report:
        """Take decisions back, all of them or none; what was in force before is so again.

        Errors of the report: UnknownSubject, DecisionRefused (undone before), DecisionOutdated.
        """
        outcomes: list[Outcome] = []
        abouts: set[About] = set()
        try:
            with self._db.begin() as tx:
                grouping.refresh_in(tx, self._rules)
                for number in sorted(set(numbers), reverse=True):
                    try:
                        undoing, undone = decisions.undo(tx, number, actor=actor, note=note)
                    except (UnknownSubject, DecisionRefused) as exc:
                        outcomes.append(Outcome(f"d{number}", error=exc))
                    else:
                        outcomes.append(Outcome(f"d{number}", undoing))
                        abouts.update(undone)
                if any(outcome.error for outcome in outcomes):
                    raise _NoneOfThem
                judging.touch(tx, abouts)
        except _NoneOfThem:
            outcomes = [Outcome(o.subject, None, o.error) for o in outcomes]
        return Report(tuple(outcomes))

    # ------------------------------------------------------------ within

    def _details(self, tx: Session, group: GroupView) -> GroupDetails:
        relations = groups.relations_of(
            tx, group, min_score=self._rules.min_score, common_from=self._rules.common_from
        )
        return GroupDetails(group, self.suggest(group), tuple(groups.pairs_of(tx, group)), tuple(relations))

    def _pairs(
        self,
        tx: Session,
        verdict: Verdict,
        cursor: tuple[float, int, int] | None,
        limit: int,
        undecided: bool | None,
    ) -> Page[PairView]:
        kept: list[PairView] = []
        for _ in range(_MOST_LOOKS):
            found = groups.page_of_pairs(
                tx, verdict, after=cursor, limit=limit, undecided=undecided, min_score=self._rules.min_score
            )
            if found:
                cursor = (found[-1].match.score, found[-1].id.content_a, found[-1].id.content_b)
            kept += groups.without_common(
                tx, found, min_score=self._rules.min_score, common_from=self._rules.common_from
            )
            if len(found) < limit:
                return Page(tuple(kept), None)
            if len(kept) >= limit:
                break
        return Page(tuple(kept), None if cursor is None else _said(cursor))


# ---------------------------------------------------------------- lists


def _common(tx: Session, after: tuple[int, int, int, int] | None, limit: int) -> list[CommonStretch]:
    row = CommonStretchRow
    query = select(row)
    if after is not None:
        shared_by, *place = after
        later = func.row(row.content_id, row.start_ms, row.end_ms) > func.row(*place)
        query = query.where(row.shared_by <= shared_by, or_(row.shared_by < shared_by, later))
    order = (row.shared_by.desc(), row.content_id, row.start_ms, row.end_ms)
    rows = tx.scalars(query.order_by(*order).limit(limit)).all()
    members = groups.load_members(tx, {each.content_id for each in rows})
    return [_stretch(tx, each, members[each.content_id]) for each in rows if each.content_id in members]


def _stretch(tx: Session, row: CommonStretchRow, member: Member) -> CommonStretch:
    about = About(member.sha256, member.sha256, row.start_ms, row.end_ms)
    standing, said = decisions.standing_entry(tx, about), decisions.last_said(tx, about)
    return CommonStretch(
        StretchId(row.content_id, row.start_ms, row.end_ms),
        max(row.revision, said.revision if said else 0),
        member,
        row.shared_by,
        standing.kind if standing else None,
    )


def _page(found: Sequence[T], limit: int, place: Callable[[T], tuple[float, ...]]) -> Page[T]:
    """The first `limit` of them; one more was asked for, to know whether there is a next page."""
    items = tuple(found[:limit])
    return Page(items, _said(place(items[-1])) if len(found) > limit else None)


def _said(place: tuple[float, ...]) -> str:
    return ":".join(repr(part) for part in place)


def _cursor(text: str, *kinds: Callable[[str], float]) -> Any:
    """The place that a cursor says. Raises UnknownSubject for what is none."""
    parts = text.split(":")
    try:
        return tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
    except ValueError:
        raise UnknownSubject("there is no such page") from None
