"""What a judgement says: of which bytes, and whether it may be said at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.errors import DecisionOutdated, DecisionRefused, InspectorError, UnknownSubject
from inspector.model import Decision, Library
from inspector.review import GroupId, PairId, StretchId, Subject
from inspector.store import contents, decisions, groups
from inspector.store.decisions import About, Entry
from inspector.store.groups import Member
from inspector.store.tables import ContentRow, GroupRow

OF_PAIRS: Final = (Decision.DUPLICATE, Decision.NOT_A_MATCH, Decision.SAME_SOURCE, Decision.COMMON)
OF_STRETCHES: Final = (Decision.COMMON, Decision.NOT_COMMON)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person says. revision: of what was looked at; None: as it is now.

    keep: the key of the copy to keep, of duplicates; None: that is left open, and nothing may go.
    """

    subject: Subject
    kind: Decision
    revision: int | None = None
    keep: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one of several. number: of the decision; None: an error, or it was said already."""

    subject: str
    number: int | None = None
    error: InspectorError | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of several: all of them were saved, or none."""

    outcomes: tuple[Outcome, ...]

    @property
    def saved(self) -> bool:
        return all(outcome.error is None for outcome in self.outcomes)


def save(tx: Session, judgements: Sequence[Judgement], *, actor: str) -> Report:
    """Remember all of them, or none if anything is wrong with one."""
    read = [_read(tx, judgement) for judgement in judgements]
    _refuse_contradictions(judgements, read)
    if any(isinstance(found, InspectorError) for found in read):
        return Report(tuple(map(_failed, judgements, read)))
    outcomes: list[Outcome] = []
    said: set[About] = set()
    for judgement, found in zip(judgements, read, strict=True):
        news = [e for e in _entries(found) if (e.about not in said or e.keep) and _is_news(tx, e)]
        said |= {entry.about for entry in news}
        outcomes.append(Outcome(str(judgement.subject), _record(tx, judgement, news, actor)))
    touch(tx, said)
    return Report(tuple(outcomes))


def touch(tx: Session, abouts: Collection[About]) -> None:
    """Let everybody see it: statuses of these contents, and of all that a stretch's content matches."""
    stretched = {about.sha256_a for about in abouts if about.start_ms != decisions.WHOLE}
    sha256s = {sha256 for about in abouts for sha256 in (about.sha256_a, about.sha256_b)}
    query = select(ContentRow.id, ContentRow.sha256).where(
        ContentRow.library == Library.BUCKET, ContentRow.sha256.in_(sha256s)
    )
    ids: set[int] = set()
    for content_id, sha256 in tx.execute(query).all():
        ids |= contents.neighbours(tx, content_id) if bytes(sha256) in stretched else {content_id}
    contents.touch(tx, ids)


def _read(tx: Session, judgement: Judgement) -> list[Entry] | InspectorError:
    """What a judgement says of which bytes, or why it cannot be accepted."""
    try:
        return _entries_of(tx, judgement)
    except (UnknownSubject, DecisionRefused) as exc:
        return exc


def _entries_of(tx: Session, judgement: Judgement) -> list[Entry]:
    """Raises UnknownSubject, DecisionRefused, DecisionOutdated."""
    subject, kind = judgement.subject, judgement.kind
    wanted = OF_STRETCHES if isinstance(subject, StretchId) else OF_PAIRS
    if kind not in wanted:
        raise DecisionRefused(f"{subject} can be {', '.join(wanted)}; not {kind}")
    if judgement.keep is not None and kind is not Decision.DUPLICATE:
        raise DecisionRefused("what is to be kept is said of duplicates only")
    match subject:
        case GroupId():
            return _of_group(tx, subject, judgement)
        case PairId():
            return _of_pair(tx, subject, judgement)
        case StretchId():
            return _of_stretch(tx, subject, judgement)


def _of_group(tx: Session, subject: GroupId, judgement: Judgement) -> list[Entry]:
    row = tx.get(GroupRow, subject.number, populate_existing=True)
    if row is not None and judgement.revision not in (None, row.revision):
        changes = groups.changes_of_group(tx, subject, judgement.revision or 0)
        said = "has changed" if row.size else "is no more"
        raise DecisionOutdated(f"{subject} {said} since revision {judgement.revision}", changes)
    return _of_members(groups.find(tx, subject).members, judgement, with_copies=True)


def _of_pair(tx: Session, subject: PairId, judgement: Judgement) -> list[Entry]:
    pair = groups.find_pair(tx, subject)
    if judgement.revision not in (None, pair.revision):
        changes = groups.changes_of_pair(tx, pair, judgement.revision or 0)
        raise DecisionOutdated(f"{subject} has changed since revision {judgement.revision}", changes)
    return _of_members((pair.a, pair.b), judgement, with_copies=False)


def _of_stretch(tx: Session, subject: StretchId, judgement: Judgement) -> list[Entry]:
    member = groups.load_members(tx, [subject.content_id]).get(subject.content_id)
    if member is None or subject.end_ms > round(member.duration_s * 1000) + 1:
        raise UnknownSubject(f"there is no stretch {subject} of a video that is there")
    about = About(member.sha256, member.sha256, subject.start_ms, subject.end_ms)
    later = decisions.last_said(tx, about, judgement.revision) if judgement.revision else None
    if later is not None:
        changes = (f"{later.actor} decided d{later.number}: {later.kind}",)
        raise DecisionOutdated(f"{subject} was ruled on since revision {judgement.revision}", changes)
    return [Entry(about, judgement.kind)]


def _of_members(members: Sequence[Member], judgement: Judgement, *, with_copies: bool) -> list[Entry]:
    """An entry for every two of them, and for copies of the same bytes: those cannot but match."""
    keeper = None if judgement.keep is None else _keeper(members, judgement.keep)
    ordered = sorted(members, key=lambda member: member.sha256)
    pairs = list(combinations(ordered, 2))
    if with_copies and judgement.kind in (Decision.DUPLICATE, Decision.SAME_SOURCE):
        pairs += [(member, member) for member in ordered if len(member.videos) > 1]
    if not pairs:
        raise DecisionRefused("these files are the same, byte for byte: they cannot but match")
    return [
        Entry(
            About(a.sha256, b.sha256),
            judgement.kind,
            (keeper.sha256, judgement.keep or "") if keeper is not None and keeper in (a, b) else None,
        )
        for a, b in pairs
    ]


def _keeper(members: Sequence[Member], key: str) -> Member:
    for member in members:
        if any(video.key == key for video in member.videos):
            return member
    raise DecisionRefused(f"{key!r} is none of these videos, so it cannot be kept of them")


def _refuse_contradictions(judgements: Sequence[Judgement], read: list[list[Entry] | InspectorError]) -> None:
    """Replace by an error what says otherwise of a pair than an earlier judgement of the same batch."""
    said: dict[About, tuple[Entry, Judgement]] = {}
    for position, (judgement, found) in enumerate(zip(judgements, list(read), strict=True)):
        for entry in _entries(found):
            before, earlier = said.setdefault(entry.about, (entry, judgement))
            if (before.kind, before.keep or entry.keep) != (entry.kind, entry.keep or before.keep):
                read[position] = DecisionRefused(f"it contradicts what is said of {earlier.subject}")
                break
            if before.keep is None:
                said[entry.about] = (entry, judgement)


def _entries(found: list[Entry] | InspectorError) -> list[Entry]:
    return [] if isinstance(found, InspectorError) else found


def _failed(judgement: Judgement, found: list[Entry] | InspectorError) -> Outcome:
    return Outcome(str(judgement.subject), error=found if isinstance(found, InspectorError) else None)


def _is_news(tx: Session, entry: Entry) -> bool:
    return decisions.standing_entry(tx, entry.about) != entry


def _record(tx: Session, judgement: Judgement, entries: Sequence[Entry], actor: str) -> int | None:
    """The number of the decision; None if there is nothing new in it."""
    if not entries:
        return None
    return decisions.record(
        tx,
        entries,
        subject=str(judgement.subject),
        actor=actor,
        made_on=judgement.revision,
        note=judgement.note,
    )
