"""`/api/v1/groups`, `/pairs`, `/common`: what may be duplicates, the surest first, and which copy to keep."""

from __future__ import annotations

from typing import Final, TypeVar

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.ports import StatusSource
from inspector.api.problems import Problem
from inspector.api.v1 import models, review_models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, linked, next_address
from inspector.api.v1.review_documents import details_of, group_of, pair_of, stretch_of
from inspector.errors import UnknownSubject
from inspector.model import Verdict
from inspector.review import GroupId, PairId, parse_subject
from inspector.store.reviews import Reviews

T = TypeVar("T", bound=GroupId | PairId)

TAG: Final = Tag(name="groups", description="What may be duplicates, and which copy is worth keeping.")


class GroupViews:
    """The views of what people review."""

    def __init__(self, reviews: Reviews, statuses: StatusSource, bucket: str) -> None:
        self._reviews = reviews
        self._statuses = statuses
        self._bucket = bucket

    def add_to(self, api: APIBlueprint) -> None:
        tags = [TAG]
        api.get("/groups", tags=tags, responses={200: review_models.GroupPage})(as_view(self.list_groups))
        one = "/groups/<group_id>"
        api.get(one, tags=tags, responses={200: review_models.GroupDetails})(as_view(self.get_group))
        of = "/videos/<int:video_id>/groups"
        api.get(of, tags=tags, responses={200: review_models.Groups})(as_view(self.list_groups_of_video))
        api.get("/pairs", tags=tags, responses={200: review_models.PairPage})(as_view(self.list_pairs))
        api.get("/pairs/<pair_id>", tags=tags, responses={200: review_models.Pair})(as_view(self.get_pair))
        api.get("/common", tags=tags, responses={200: review_models.StretchPage})(as_view(self.list_common))

    def list_groups(self, query: review_models.GroupsQuery) -> Response:
        """List groups of duplicates

        The surest first, each with the copy that is worth keeping and why.
        """
        cursors = Cursors("groups")
        undecided = None if query.decided is None else not query.decided
        page = self._reviews.groups(after=_place(cursors, query), limit=query.limit, undecided=undecided)
        progress = self._reviews.progress()
        following = _next(cursors, "groups", query, page.after)
        found = review_models.GroupPage(
            groups=[group_of(group, self._reviews.suggest(group)) for group in page.items],
            total=progress.groups,
            total_decided=progress.decided,
            next=following,
        )
        return answer(found, headers=linked(following))

    def get_group(self, path: review_models.GroupPath) -> Response:
        """Get one group

        With its pairs, which all match directly; and beside it what its members share with others: parts,
        and duplicates of some members only, which are chains and make no group.
        """
        return answer(details_of(self._reviews.group(_subject(path.group_id, GroupId))))

    def list_groups_of_video(self, path: models.VideoPath) -> Response:
        """List the groups that a video is in"""
        for status in self._statuses.by_ids([path.video_id]):
            if status.bucket == self._bucket:
                found = self._reviews.groups_of(status.bucket, status.key)
                groups = [group_of(group, self._reviews.suggest(group)) for group in found]
                return answer(review_models.Groups(groups=groups))
        raise Problem(404, "not-found", "There is no video of this id.")

    def list_pairs(self, query: review_models.PairsQuery) -> Response:
        """List pairs of one verdict

        The surest first; what shares only common material is left out.
        """
        cursors = Cursors(f"pairs {query.verdict}")
        undecided = None if query.decided is None else not query.decided
        place = _place(cursors, query)
        page = self._reviews.pairs(
            Verdict(query.verdict), after=place, limit=query.limit, undecided=undecided
        )
        following = _next(cursors, "pairs", query, page.after)
        found = review_models.PairPage(pairs=[pair_of(pair) for pair in page.items], next=following)
        return answer(found, headers=linked(following))

    def get_pair(self, path: review_models.PairPath) -> Response:
        """Get one pair"""
        return answer(pair_of(self._reviews.pair(_subject(path.pair_id, PairId))))

    def list_common(self, query: models.PageQuery) -> Response:
        """List common material

        What many unrelated videos share (an intro, a jingle, black), each stretch once.
        A decision `common` or `not_common` on it says how to treat it, wherever it occurs.
        """
        cursors = Cursors("common")
        page = self._reviews.common(after=_place(cursors, query), limit=query.limit)
        following = _next(cursors, "common", query, page.after)
        found = review_models.StretchPage(stretches=[stretch_of(each) for each in page.items], next=following)
        return answer(found, headers=linked(following))


def _place(cursors: Cursors, query: models.PageQuery) -> str | None:
    return None if query.cursor is None else cursors.read(query.cursor, str)[0]


def _next(cursors: Cursors, name: str, query: models.PageQuery, after: str | None) -> str | None:
    return next_address(f"{PREFIX}/{name}", query, None if after is None else cursors.write(after))


def _subject(text: str, kind: type[T]) -> T:
    subject, _ = parse_subject(text)
    if not isinstance(subject, kind):
        raise UnknownSubject(f"{text!r} is none of this kind")
    return subject
