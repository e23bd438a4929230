"""`/api/v1/recordings`: what was recorded, and what was on air. `/admin/recordings`: cleaning up."""

from __future__ import annotations

from typing import Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.on_air import StreamMatches
from inspector.api.problems import Problem
from inspector.api.v1 import recording_models as models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, linked, next_address
from inspector.model import RecordingState
from inspector.processes import has_died
from inspector.store import Database, recordings
from inspector.store.status import StatusReader

TAG: Final = Tag(name="recordings", description="Live streams: pieces, gaps, and what was on air.")
ADMIN_PREFIX: Final = "/admin"


class RecordingViews:
    """The views of recordings."""

    def __init__(self, db: Database, bucket: str, *, min_score: float, common_from: int) -> None:
        self._db = db
        self._bucket = bucket
        statuses = StatusReader(db, min_score=min_score, common_from=common_from)
        self._matches = StreamMatches(db, statuses, bucket)

    def add_to(self, api: APIBlueprint, admin: APIBlueprint) -> None:
        tags = [TAG]
        api.get("/recordings", tags=tags, responses={200: models.RecordingPage})(
            as_view(self.list_recordings)
        )
        one = "/recordings/<int:recording_id>"
        api.get(one, tags=tags, responses={200: models.RecordingDetail})(as_view(self.get_recording))
        api.get(f"{one}/matches", tags=tags, responses={200: models.OnAirList})(
            as_view(self.list_recording_matches)
        )
        cleanup = "/recordings/cleanup-process-orphaned"
        admin.post(cleanup, tags=tags, responses={200: models.Cleanup})(as_view(self.clean_up_orphaned))

    def list_recordings(self, query: models.RecordingsQuery) -> Response:
        """List recordings

        The newest first.
        """
        cursors = Cursors("recordings")
        before = cursors.read(query.cursor, int)[0] if query.cursor else None
        state = RecordingState(query.state) if query.state else None
        with self._db.begin() as tx:
            found = recordings.page(
                tx, self._bucket, before=before, limit=query.limit + 1, channel=query.channel, state=state
            )
        shown = found[: query.limit]
        cursor = cursors.write(shown[-1].id) if len(found) > query.limit else None
        following = next_address(f"{PREFIX}/recordings", query, cursor)
        page = models.RecordingPage(
            recordings=[models.recording_document(each) for each in shown], next=following
        )
        return answer(page, headers=linked(following))

    def get_recording(self, path: models.RecordingPath) -> Response:
        """Get one recording

        With its pieces and gaps, in the order of the stream.
        """
        with self._db.begin() as tx:
            found = recordings.find(tx, self._bucket, path.recording_id)
            segments = recordings.segments(tx, path.recording_id)
            gaps = recordings.gaps(tx, path.recording_id)
        if found is None:
            raise Problem(404, "not-found", "There is no recording of this id.")
        missing = [models.GapDocument.model_validate(gap) for gap in gaps]
        return answer(models.detail_document(found, segments, missing))

    def list_recording_matches(self, path: models.RecordingPath, query: models.OnAirQuery) -> Response:
        """List what was on air

        In the stream's time, in its order; stretches that cross the joins of pieces are one.
        """
        with self._db.begin() as tx:
            found = recordings.find(tx, self._bucket, path.recording_id)
        if found is None:
            raise Problem(404, "not-found", "There is no recording of this id.")
        on_air = self._matches.of(path.recording_id, from_s=query.from_s, to_s=query.to_s)
        return answer(
            models.OnAirList(matches=[models.on_air_document(each, self._bucket) for each in on_air])
        )

    def clean_up_orphaned(self, query: models.CleanupQuery) -> Response:
        """Clean up recordings without a process

        Those marked as running whose process is gone; without `dry_run=false` they are only listed. Pieces
        that one has left on its machine are uploaded there, by `inspector recordings orphans --clean`.
        """
        with self._db.begin() as tx:
            found = [each for each in recordings.running(tx, self._bucket) if has_died(each)]
            if not query.dry_run:
                for each in found:
                    recordings.end(tx, each.id, RecordingState.ORPHANED, "its process was gone")
        return answer(
            models.Cleanup(
                dry_run=query.dry_run,
                cleaned=0 if query.dry_run else len(found),
                orphaned=[models.recording_document(each) for each in found],
            )
        )
