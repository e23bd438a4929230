"""`/api/v1/videos`: the list, one video, its cuts, its matches, and inspecting it again."""

from __future__ import annotations

from typing import Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.documents import error_document, evidence_document, media_document, number
from inspector.api.keys import key_address
from inspector.api.ports import StatusSource
from inspector.api.problems import Problem
from inspector.api.v1 import models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, linked, next_address
from inspector.aws import Bucket
from inspector.aws.bucket import SIGNED_S
from inspector.model import DuplicateStatus, Segment, State, Verdict, VideoStatus
from inspector.store import Database, attempts, catalog, requeue
from inspector.store.catalog import Filter, Position

TAG: Final = Tag(name="videos", description="What lies in the bucket, and what was found in it.")
_ADDRESS: Final = f"{PREFIX}/videos"
_STRENGTH: Final = (Verdict.DUPLICATE, Verdict.CONTAINED, Verdict.PARTIAL)


class VideoViews:
    """The views of videos. min_score: matches below it are not shown."""

    def __init__(self, db: Database, statuses: StatusSource, bucket: Bucket, *, min_score: float) -> None:
        self._db = db
        self._statuses = statuses
        self._bucket = bucket
        self._min_score = min_score
        self._match_cursors = Cursors("matches")

    def add_to(self, api: APIBlueprint) -> None:
        tags = [TAG]
        api.get("/videos", tags=tags, responses={200: models.VideoPage})(as_view(self.list_videos))
        one = "/videos/<int:video_id>"
        api.get(one, tags=tags, responses={200: models.Video})(as_view(self.get_video))
        api.get(f"{one}/cuts", tags=tags, responses={200: models.Cuts})(as_view(self.get_cuts))
        api.get(f"{one}/attempts", tags=tags, responses={200: models.Attempts})(as_view(self.list_attempts))
        api.get(f"{one}/matches", tags=tags, responses={200: models.MatchPage})(as_view(self.list_matches))
        api.get(f"{one}/source", tags=tags, responses={200: models.Source})(as_view(self.get_source))
        api.post(f"{one}/reinspection", tags=tags, responses={202: models.Requeued})(as_view(self.reinspect))

    def list_videos(self, query: models.VideosQuery) -> Response:
        """List videos

        Filtered, sorted, page by page. New videos move nothing on the pages that follow.
        """
        cursors = Cursors(query.sort)
        after = Position(*cursors.read(query.cursor, int, str)) if query.cursor else None
        with self._db.begin() as tx:
            found = catalog.find_page(
                tx, self._bucket.name, self._filter(query), query.sort, after=after, limit=query.limit + 1
            )
        shown = found[: query.limit]
        statuses = {status.video_id: status for status in self._statuses.by_ids([p.video_id for p in shown])}
        videos = [video_of(statuses[p.video_id]) for p in shown if p.video_id in statuses]
        cursor = cursors.write(*shown[-1]) if len(found) > query.limit else None
        following = next_address(_ADDRESS, query, cursor)
        return answer(models.VideoPage(videos=videos, next=following), headers=linked(following))

    def get_video(self, path: models.VideoPath) -> Response:
        """Get one video"""
        return answer(video_of(self._find(path.video_id)))

    def get_cuts(self, path: models.VideoPath) -> Response:
        """Get the cuts of a video"""
        cuts = self._find(path.video_id).scene_cuts
        return answer(models.Cuts(cuts_s=[round(cut, 6) for cut in cuts]))

    def list_attempts(self, path: models.VideoPath) -> Response:
        """List the attempts at a video

        The oldest first; the last 50 are known.
        """
        self._find(path.video_id)
        with self._db.begin() as tx:
            found = attempts.of_video(tx, path.video_id)
        return answer(models.Attempts(attempts=[models.AttemptDocument.model_validate(a) for a in found]))

    def list_matches(self, path: models.VideoPath, query: models.MatchesQuery) -> Response:
        """List the matches of a video

        The surest first; at most 100 of each kind.
        """
        status = self._find(path.video_id)
        found = [*status.duplicates, *(status.common if query.common else ())]
        start = self._match_cursors.read(query.cursor, int)[0] if query.cursor else 0
        shown = found[start : start + query.limit]
        end = start + query.limit
        cursor = self._match_cursors.write(end) if end < len(found) else None
        following = next_address(f"{_ADDRESS}/{path.video_id}/matches", query, cursor)
        page = models.MatchPage(matches=[match_of(each) for each in shown], next=following)
        return answer(page, headers=linked(following))

    def get_source(self, path: models.VideoPath) -> Response:
        """Get a signed address of the object

        For a player or a download; it expires soon, and names no one.
        """
        status = self._find(path.video_id)
        if status.state is State.REMOVED:
            raise Problem(409, "conflict", "The object is gone.")
        response = answer(models.Source(url=self._bucket.signed_url(status.key), expires_in_s=SIGNED_S))
        response.headers["Cache-Control"] = "no-store"
        return response

    def reinspect(self, path: models.VideoPath) -> Response:
        """Inspect a video again

        From the start, as if its bytes had never been seen; so are all videos of the same bytes.
        """
        self._find(path.video_id)
        with self._db.begin() as tx:
            requeued = requeue.reinspect(tx, path.video_id)
        if not requeued:
            raise Problem(409, "conflict", "The video waits for its inspection already, or is gone.")
        return answer(models.Requeued(requeued=requeued), 202)

    def _find(self, video_id: int) -> VideoStatus:
        for status in self._statuses.by_ids([video_id]):
            if status.bucket == self._bucket.name:
                return status
        raise Problem(404, "not-found", "There is no video of this id.")

    def _filter(self, query: models.VideosQuery) -> Filter:
        return Filter(
            states=tuple(State(state) for state in query.state),
            verdicts=tuple(Verdict(verdict) for verdict in query.verdict if verdict != "none"),
            unmatched="none" in query.verdict,
            contains=query.contains,
            prefix=query.prefix,
            key=query.key,
            since=query.since,
            until=query.until,
            min_score=self._min_score,
        )


def video_of(status: VideoStatus) -> models.Video:
    """What is said of one video, in the list and by itself."""
    address = f"{_ADDRESS}/{status.video_id}"
    error = error_document(status)
    return models.Video(
        id=status.video_id or 0,
        key=status.key,
        bucket=status.bucket,
        state=status.state,
        progress=number(1.0 if status.state is State.DONE else status.progress),
        eta_s=number(status.eta_s),
        verdict=strongest(status),
        total_matches=len(status.duplicates),
        total_common=len(status.common),
        total_cuts=len(status.scene_cuts),
        size_bytes=status.size_bytes,
        sha256=status.sha256,
        media=models.Media.model_validate(media_document(status.media)) if status.media else None,
        error=models.Fault.model_validate(error) if error else None,
        attempts=status.attempts,
        truncated=status.truncated,
        timestamps=models.Moments(
            created=status.created_at,
            queued=status.queued_at,
            started=status.started_at,
            finished=status.finished_at,
            updated=status.updated_at,
        ),
        revision=status.revision,
        links=models.VideoLinks(
            self=address,
            cuts=f"{address}/cuts",
            matches=f"{address}/matches",
            attempts=f"{address}/attempts",
            status=key_address(status.key),
        ),
    )


def strongest(status: VideoStatus) -> Verdict | None:
    """The verdict of a video as a whole; None if it shares nothing but common material."""
    given = {duplicate.verdict for duplicate in status.duplicates}
    return next((verdict for verdict in _STRENGTH if verdict in given), None)


def match_of(duplicate: DuplicateStatus) -> models.Matched:
    """What is said of a match, as seen from the video that was asked for."""
    return models.Matched(
        video=models.OtherVideo(id=duplicate.video_id, key=duplicate.key, bucket=duplicate.bucket),
        verdict=duplicate.verdict,
        score=round(duplicate.score, 6),
        speed=round(duplicate.speed, 6),
        segments=[segment_of(segment) for segment in duplicate.segments],
        evidence=models.MatchEvidence.model_validate(evidence_document(duplicate.evidence)),
    )


def segment_of(segment: Segment) -> models.MatchSegment:
    """A matched stretch, as seen from the first of both."""
    return models.MatchSegment(
        start_s=round(segment.a_start_s, 6),
        end_s=round(segment.a_end_s, 6),
        other_start_s=round(segment.b_start_s, 6),
        other_end_s=round(segment.b_end_s, 6),
        score=round(segment.score, 6),
    )
