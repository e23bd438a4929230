"""`/review`: what may be duplicates, the surest first, decided one by one or many at once, and undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, request

from inspector.api.guard import actor
from inspector.api.pages.behind import Behind, page
from inspector.api.pages.stretches import RULINGS, stretch_cards
from inspector.api.problems import Problem
from inspector.errors import DecisionRefused, UnknownSubject
from inspector.model import Decision, Match, Verdict
from inspector.review import parse_subject
from inspector.store.decisions import Made
from inspector.store.groups import GroupView, Member, PairView
from inspector.store.judgements import Judgement, Report
from inspector.store.reviews import CommonStretch, Page, Reviews
from inspector.store.thumbnails import Thumbnails

SHOWN: Final = 20  # cards of one page: what is decided makes room for the next
MOST_COPIES: Final = 24  # shown of one card
_PAIRS: Final = (Verdict.CONTAINED, Verdict.PARTIAL)
_COMMON: Final = "common"
_HISTORY: Final = "decided"
_TABS: Final = {
    "duplicate": "Duplicates",
    "contained": "Contained",
    "partial": "Partial",
    _COMMON: "Common",
    _HISTORY: "Decided",
}

#: What can be said of a card, as buttons: the word, and the key.
SAID: Final = {
    Decision.DUPLICATE: ("Duplicate", "d"),
    Decision.NOT_A_MATCH: ("Not a match", "n"),
    Decision.SAME_SOURCE: ("Keep both", "b"),
}
PAST: Final = {
    Decision.DUPLICATE: "a duplicate",
    Decision.NOT_A_MATCH: "not a match",
    Decision.SAME_SOURCE: "the same source, all kept",
    Decision.COMMON: "common material",
    Decision.NOT_COMMON: "counted as a match",
    Decision.UNDO: "undone",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One copy on a card. against: why the suggested one is better, if this is not it."""

    key: str
    member: Member
    size_bytes: int
    against: str


@dataclass(frozen=True, slots=True)
class Card:
    """A group or a pair. said: what a form calls it, with the revision that is looked at."""

    name: str
    said: str
    score: float
    copies: tuple[Shown, ...]
    more: int
    keep: str
    reason: str
    match: Match | None


@dataclass(frozen=True, slots=True)
class Flash:
    """What just happened, and which decisions an undo would take back."""

    text: str
    bad: bool = False
    undo: tuple[int, ...] = ()


class ReviewView:
    """The page on which duplicates are decided."""

    def __init__(self, behind: Behind, reviews: Reviews) -> None:
        self._behind = behind
        self._reviews = reviews

    def show(self) -> Response:
        """`GET /review`: `?of=` names the tab, `?after=` the place in it."""
        return self._page(None)

    def decide(self) -> Response:
        """`POST /review`: `decide` is `<subject>@<revision> <kind>`; or `bulk` a kind for each `subject`.

        `keep <subject>` is the key of the copy to keep, of a duplicate.
        """
        form = request.form
        try:
            one = form.get("decide", "")
            if one:
                subject, _, kind = one.rpartition(" ")
                judged = [self._judgement(subject, kind)]
            else:
                judged = [self._judgement(each, form.get("bulk", "")) for each in form.getlist("subject")]
        except UnknownSubject as exc:
            return self._page(Flash(str(exc), bad=True))
        if not judged:
            return self._page(Flash("Nothing was selected.", bad=True))
        report = self._reviews.decide(judged, actor=actor())
        return self._page(_said_of(report, judged[0].kind))

    def undo(self) -> Response:
        """`POST /review/undo`: `number`, more than once for several; none: the last one of who asks."""
        numbers = [
            int(n) for n in request.form.getlist("number") if n.isascii() and n.isdigit() and len(n) < 19
        ]
        last = self._last() if not numbers else None
        numbers = numbers or ([last.number] if last else [])
        if not numbers:
            return self._page(Flash("There is nothing to undo.", bad=True))
        report = self._reviews.undo(numbers, actor=actor())
        if not report.saved:
            return self._page(_said_of(report, Decision.UNDO))
        what = "One decision" if len(numbers) == 1 else f"{len(numbers)} decisions"
        return self._page(Flash(f"{what} taken back."))

    def _judgement(self, text: str, kind: str) -> Judgement:
        """Raises Problem for no such kind, UnknownSubject for what is none."""
        known = [each.value for each in (*SAID, *RULINGS)]
        if kind not in known:
            raise Problem(400, "bad-parameter", f"A decision is one of {', '.join(known)}.")
        subject, revision = parse_subject(text)
        keep = request.form.get(f"keep {subject}") if kind == Decision.DUPLICATE else None
        return Judgement(subject, Decision(kind), revision, keep or None)

    def _last(self) -> Made | None:
        made = self._reviews.decisions(limit=SHOWN)
        return next((m for m in made if m.actor == actor() and m.undone is None and not m.undoes), None)

    def _page(self, flash: Flash | None) -> Response:
        of = request.values.get("of", "duplicate")
        after = request.values.get("after") or None
        if of not in _TABS:
            raise Problem(400, "bad-parameter", f"of must be one of {', '.join(_TABS)}.")
        try:
            cards, following = self._cards(of, after)
            common = self._reviews.common(after=after, limit=SHOWN) if of == _COMMON else Page((), following)
        except UnknownSubject as exc:
            raise Problem(400, "bad-parameter", str(exc)) from None
        pictures = self._pictures(cards, common.items)
        made = self._reviews.decisions(limit=50) if of == _HISTORY else []
        keys = self._reviews.keys_of(made) if made else {}
        return page(
            "review.html",
            of=of,
            tabs=_TABS,
            cards=cards,
            after=after,
            following=common.after,
            progress=self._reviews.progress(),
            pictures=pictures,
            stretches=stretch_cards(common.items, pictures),
            made=[(each, _keys(each, keys)) for each in made],
            flash=flash,
            choices=SAID,
            rulings=RULINGS,
            past=PAST,
        )

    def _pictures(self, cards: list[Card], common: Sequence[CommonStretch]) -> dict[str, Thumbnails]:
        shown = {copy.member.sha256 for card in cards for copy in card.copies}
        shown |= {stretch.member.sha256 for stretch in common}
        return self._behind.source.thumbnails({sha256.hex() for sha256 in shown})

    def _cards(self, of: str, after: str | None) -> tuple[list[Card], str | None]:
        """Raises UnknownSubject for a place that is none."""
        if of == "duplicate":
            groups = self._reviews.groups(after=after, limit=SHOWN)
            return [self._card(group) for group in groups.items], groups.after
        if of in [verdict.value for verdict in _PAIRS]:
            pairs = self._reviews.pairs(Verdict(of), after=after, limit=SHOWN)
            return [self._card(pair) for pair in pairs.items], pairs.after
        return [], None

    def _card(self, what: GroupView | PairView) -> Card:
        keeper = self._reviews.suggest(what)
        members = what.members if isinstance(what, GroupView) else (what.a, what.b)
        copies = [
            Shown(video.key, member, video.size_bytes, keeper.against.get(video.id, ""))
            for member in members
            for video in member.videos
        ]
        if isinstance(what, GroupView):
            copies.sort(key=lambda copy: copy.key != keeper.copy.key)
        match, score = (None, what.score) if isinstance(what, GroupView) else (what.match, what.match.score)
        return Card(
            str(what.id),
            f"{what.id}@{what.revision}",
            score,
            tuple(copies[:MOST_COPIES]),
            max(len(copies) - MOST_COPIES, 0),
            keeper.copy.key,
            keeper.reason,
            match,
        )


def _said_of(report: Report, kind: Decision) -> Flash:
    """What came of a decision, in words."""
    if not report.saved:
        faults = [_fault(outcome.subject, outcome.error) for outcome in report.outcomes if outcome.error]
        return Flash("Nothing was saved. " + " ".join(faults), bad=True)
    numbers = tuple(outcome.number for outcome in report.outcomes if outcome.number is not None)
    many = len(report.outcomes)
    what = "this is" if many == 1 else f"{many} at once are each"
    return Flash(f"Remembered: {what} {PAST[kind]}.", undo=numbers)


def _fault(subject: str, error: Exception) -> str:
    if isinstance(error, DecisionRefused | UnknownSubject):
        return f"{subject}: {error}."
    return f"{subject} could not be decided."


def _keys(made: Made, keys: dict[bytes, tuple[str, ...]]) -> Sequence[str]:
    """Under which keys what was decided about lies now."""
    sha256s = {s: None for entry in made.entries for s in (entry.about.sha256_a, entry.about.sha256_b)}
    return [key for sha256 in sha256s for key in keys.get(sha256, ())]
