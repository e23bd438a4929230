"""`/api/v1/decisions`: what people decided, deciding, one or many at once, and taking it back."""

from __future__ import annotations

from typing import Final, NoReturn

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.guard import actor
from inspector.api.problems import Problem, of_review
from inspector.api.v1 import models, review_models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, linked, next_address
from inspector.api.v1.review_documents import made_of, outcomes_of
from inspector.errors import DecisionRefused, UnknownSubject
from inspector.model import Decision
from inspector.review import parse_subject
from inspector.store.judgements import Judgement, Report
from inspector.store.reviews import Reviews

TAG: Final = Tag(name="decisions", description="What people decided: remembered by bytes, and undoable.")
_WEIGHT: Final = ("outdated", "not-found", "refused")  # after what a refusal of several is called


class DecisionViews:
    """The views of decisions."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews

    def add_to(self, api: APIBlueprint) -> None:
        tags = [TAG]
        api.get("/decisions", tags=tags, responses={200: review_models.DecisionPage})(
            as_view(self.list_decisions)
        )
        api.post("/decisions", tags=tags, responses={201: review_models.Decided})(as_view(self.decide))
        api.post("/decisions/undo", tags=tags, responses={201: review_models.Decided})(as_view(self.undo))

    def list_decisions(self, query: models.PageQuery) -> Response:
        """List decisions

        The newest first; what was undone, and the undoings, among them.
        """
        cursors = Cursors("decisions")
        before = cursors.read(query.cursor, int)[0] if query.cursor else None
        found = self._reviews.decisions(before=before, limit=query.limit + 1)
        shown = found[: query.limit]
        keys = self._reviews.keys_of(shown)
        cursor = cursors.write(shown[-1].number) if len(found) > query.limit else None
        following = next_address(f"{PREFIX}/decisions", query, cursor)
        page = review_models.DecisionPage(decisions=[made_of(each, keys) for each in shown], next=following)
        return answer(page, headers=linked(following))

    def decide(self, body: review_models.DecisionsBody) -> Response:
        """Decide

        All of them are remembered, or none. What has changed since its `revision` is not decided: `outdated`
        says in `outcomes` what has changed. Nothing is done to any object.
        """
        judgements = [_judgement(each) for each in body.decisions]
        return self._tell(self._reviews.decide(judgements, actor=actor()))

    def undo(self, body: review_models.UndoBody) -> Response:
        """Take decisions back

        All of them, or none. What was in force before is so again.
        """
        numbers = [int(each[1:]) for each in body.ids]
        return self._tell(self._reviews.undo(numbers, actor=actor(), note=body.note))

    def _tell(self, report: Report) -> Response:
        """Raises Problem if nothing was saved."""
        if not report.saved:
            _refuse(report)
        return answer(review_models.Decided(outcomes=outcomes_of(report)), 201)


def _judgement(body: review_models.DecisionBody) -> Judgement:
    """Raises UnknownSubject."""
    subject, _ = parse_subject(body.subject)
    return Judgement(subject, Decision(body.kind), body.revision, body.keep, body.note)


def _refuse(report: Report) -> NoReturn:
    """Answer that nothing was saved, and what is wrong with which of them."""
    problems = [
        of_review(outcome.error)
        for outcome in report.outcomes
        if isinstance(outcome.error, UnknownSubject | DecisionRefused)
    ]
    first = min(problems, key=lambda problem: _WEIGHT.index(problem.slug))
    outcomes = [outcome.model_dump() for outcome in outcomes_of(report)]
    raise Problem(first.status, first.slug, f"Nothing was saved: {first.detail}", more={"outcomes": outcomes})
