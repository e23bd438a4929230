"""`/api/v1/actions`: what would be done to the copies that are not kept, doing it, and undoing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.guard import actor
from inspector.api.ports import ActionSource
from inspector.api.v1 import models, review_models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, linked, next_address
from inspector.api.v1.review_documents import action_of, plan_of, result_of
from inspector.store.actions import Done

TAG: Final = Tag(name="actions", description="Tagging, moving and deleting what decisions condemn.")


class ActionViews:
    """The views of actions."""

    def __init__(self, actions: ActionSource) -> None:
        self._actions = actions

    def add_to(self, api: APIBlueprint) -> None:
        tags, results = [TAG], review_models.ActionResults
        api.get("/actions", tags=tags, responses={200: review_models.ActionPage})(as_view(self.list_actions))
        api.post("/actions", tags=tags, responses={200: review_models.PlanDocument})(as_view(self.act))
        api.post("/actions/undo", tags=tags, responses={200: results})(as_view(self.undo_actions))
        api.post("/actions/resume", tags=tags, responses={200: results})(as_view(self.resume_actions))

    def list_actions(self, query: models.PageQuery) -> Response:
        """List what was done to objects

        The newest first. `started` and `undoing`: in work, or begun by a process that died.
        """
        cursors = Cursors("actions")
        before = cursors.read(query.cursor, int)[0] if query.cursor else None
        found = self._actions.page(before=before, limit=query.limit + 1)
        shown = found[: query.limit]
        cursor = cursors.write(shown[-1].id) if len(found) > query.limit else None
        following = next_address(f"{PREFIX}/actions", query, cursor)
        page = review_models.ActionPage(actions=[action_of(each) for each in shown], next=following)
        return answer(page, headers=linked(following))

    def act(self, body: review_models.ActionsBody) -> Response:
        """Show what would be done, or do it

        To the copies that lose by decisions `duplicate` which name what is kept. Without `carry_out` nothing
        is done. An object that is not the one decided on any more is left alone, and so is one whose kept
        copy is gone. The answer comes when all of the page is done: send `after` for the next.
        """
        numbers = None if body.decisions is None else [int(each[1:]) for each in body.decisions]
        plan = self._actions.plan(body.kind, prefix=body.prefix, numbers=numbers)
        rest = [step for step in plan.steps if body.after is None or step.key > body.after]
        page = replace(plan, steps=tuple(rest[: body.limit]))
        undoable = self._actions.undoable(body.kind)
        done = self._actions.apply(page, actor=actor(), force=body.force) if body.carry_out else None
        return answer(
            plan_of(
                page,
                None if done is None else {each.key: each for each in done},
                undoable=undoable,
                total=len(plan.steps),
                after=page.steps[-1].key if len(rest) > body.limit else None,
            )
        )

    def undo_actions(self, body: review_models.ActionUndoBody) -> Response:
        """Undo actions

        The latest first, each as far as S3 allows it; what cannot be undone says why.
        """
        return _tell(self._actions.undo([int(each[1:]) for each in body.ids], actor=actor()))

    def resume_actions(self) -> Response:
        """Finish what was left half done

        By a process that died, in either direction.
        """
        return _tell(self._actions.resume())


def _tell(done: Sequence[Done]) -> Response:
    return answer(review_models.ActionResults(results=[result_of(each) for each in done]))
