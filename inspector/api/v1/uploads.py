"""`/api/v1/uploads`: signed addresses to put videos at, whole or in parts. No byte comes past here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.keys import MAX_KEY_BYTES, storable
from inspector.api.problems import Problem
from inspector.api.v1 import models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, empty, linked, next_address
from inspector.aws import Bucket
from inspector.aws.uploads import MOST_PUT_BYTES, PART_BYTES, SIGNED_S, Part, Uploads, part_size
from inspector.errors import ObjectGone
from inspector.model import State
from inspector.settings import Settings
from inspector.store import Database, uploads, videos
from inspector.store.uploads import OpenUpload

TAG: Final = Tag(name="uploads", description="Putting videos into the bucket, straight from a browser.")
_ADDRESS: Final = f"{PREFIX}/uploads"
_WHOLE_UP_TO_BYTES: Final = 4 * PART_BYTES  # what is larger goes in parts, unless it is asked for otherwise
_NAMED: Final = 5  # missing parts that an error names


@dataclass(frozen=True, slots=True)
class UploadViews:
    """The views of uploads. Only admins reach those that change something: the guard sees to it."""

    db: Database
    bucket: Bucket
    remote: Uploads
    settings: Settings

    def add_to(self, api: APIBlueprint) -> None:
        tags, one = [TAG], "/uploads/<int:upload_id>"
        api.get("/uploads", tags=tags, responses={200: models.UploadPage})(as_view(self.list_uploads))
        api.post("/uploads", tags=tags, responses={201: models.Upload})(as_view(self.begin_upload))
        api.get(one, tags=tags, responses={200: models.UploadState})(as_view(self.get_upload))
        api.delete(one, tags=tags, responses={204: None})(as_view(self.abort_upload))
        api.post(f"{one}/parts", tags=tags, responses={200: models.PartAddresses})(as_view(self.sign_parts))
        api.post(f"{one}/completion", tags=tags, responses={200: models.Completed})(
            as_view(self.complete_upload)
        )

    def begin_upload(self, body: models.UploadBody) -> Response:
        """Begin an upload

        The answer says where to PUT the bytes: at `url`, with `headers`, or part by part. A video that is
        there already is overwritten only if `overwrite` says so.
        """
        self._check(body)
        in_parts = body.in_parts if body.in_parts is not None else body.size_bytes > _WHOLE_UP_TO_BYTES
        if in_parts:
            return self._begin_parts(body)
        if body.size_bytes > MOST_PUT_BYTES:
            raise Problem(400, "bad-parameter", f"size_bytes: more than {MOST_PUT_BYTES} go in parts only.")
        return answer(
            models.Upload(
                key=body.key,
                url=self.remote.sign_put(body.key, body.size_bytes, body.content_type),
                headers={"Content-Type": body.content_type},
                expires_in_s=SIGNED_S,
            ),
            201,
        )

    def list_uploads(self, query: models.PageQuery) -> Response:
        """List the uploads in parts that are open

        The newest first. One that nobody goes on with for a day is aborted.
        """
        cursors = Cursors("uploads")
        before = cursors.read(query.cursor, int)[0] if query.cursor else None
        with self.db.begin() as tx:
            found = uploads.page(tx, self.bucket.name, before=before, limit=query.limit + 1)
        shown = found[: query.limit]
        cursor = cursors.write(shown[-1].id) if len(found) > query.limit else None
        following = next_address(_ADDRESS, query, cursor)
        page = models.UploadPage(uploads=[_open(upload) for upload in shown], next=following)
        return answer(page, headers=linked(following))

    def get_upload(self, path: models.UploadPath) -> Response:
        """Get an open upload

        With the parts that have arrived: what is missing can be sent after an interruption.
        """
        upload = self._find(path.upload_id)
        try:
            arrived = self._arrived(upload)
        except ObjectGone:
            raise Problem(409, "conflict", "The upload was ended elsewhere.") from None
        return answer(
            models.UploadState(
                **_open(upload).model_dump(),
                arrived=[part.number for part in arrived],
                arrived_bytes=sum(part.size_bytes for part in arrived),
            )
        )

    def sign_parts(self, path: models.UploadPath, body: models.PartsBody) -> Response:
        """Get addresses for parts

        PUT each part at its address; all but the last have `part_bytes`.
        """
        upload = self._find(path.upload_id)
        odd = [number for number in body.part_numbers if number > upload.part_count]
        if odd:
            raise Problem(400, "bad-parameter", f"part_numbers: there are {upload.part_count} parts.")
        with self.db.begin() as tx:
            uploads.prolong(tx, upload.id)
        signed = [
            models.PartAddress(
                part_number=number, url=self.remote.sign_part(upload.key, upload.upload_id, number)
            )
            for number in dict.fromkeys(body.part_numbers)
        ]
        return answer(models.PartAddresses(parts=signed, expires_in_s=SIGNED_S))

    def complete_upload(self, path: models.UploadPath) -> Response:
        """Complete an upload

        Makes the video of its parts, once all of them have arrived; its inspection follows by itself.
        """
        upload = self._find(path.upload_id)
        try:
            parts = self._arrived(upload)
            _check_parts(upload, parts)
            self.remote.complete(upload.key, upload.upload_id, parts)
        except ObjectGone:
            self._accept_completed(upload)
        with self.db.begin() as tx:
            uploads.drop(tx, upload.id)
        return answer(models.Completed(key=upload.key, size_bytes=upload.size_bytes))

    def abort_upload(self, path: models.UploadPath) -> Response:
        """Abort an upload

        What has arrived of it is dropped.
        """
        upload = self._find(path.upload_id)
        self.remote.abort(upload.key, upload.upload_id)
        with self.db.begin() as tx:
            uploads.drop(tx, upload.id)
        return empty()

    def _check(self, body: models.UploadBody) -> None:
        """Raises Problem for what the inspector would not take, or what would overwrite a video unasked."""
        if not self.settings.uploads:
            raise Problem(403, "forbidden", "Uploads are switched off: INSPECTOR_UPLOADS.")
        if not storable(body.key) or not self.settings.accepts_key(body.key):
            detail = f"key: the inspector takes no such key as a video's (up to {MAX_KEY_BYTES} bytes)."
            raise Problem(400, "bad-key", detail)
        if body.size_bytes > self.settings.max_size_bytes:
            detail = f"size_bytes: at most {self.settings.max_size_bytes} (INSPECTOR_MAX_SIZE_BYTES)."
            raise Problem(400, "bad-parameter", detail)
        with self.db.begin() as tx:
            known = videos.find(tx, self.bucket.name, body.key)
        if known is not None and known.state is not State.REMOVED and not body.overwrite:
            raise Problem(409, "conflict", "A video of this key is there already; `overwrite` replaces it.")

    def _begin_parts(self, body: models.UploadBody) -> Response:
        begun = self.remote.begin(body.key, body.content_type)
        with self.db.begin() as tx:
            upload = uploads.add(
                tx,
                self.bucket.name,
                body.key,
                begun,
                size_bytes=body.size_bytes,
                part_bytes=part_size(body.size_bytes),
            )
        return answer(
            models.Upload(key=body.key, parts=_open(upload), expires_in_s=SIGNED_S),
            201,
            {"Location": f"{_ADDRESS}/{upload.id}"},
        )

    def _find(self, number: int) -> OpenUpload:
        with self.db.begin() as tx:
            found = uploads.find(tx, self.bucket.name, number)
        if found is None:
            raise Problem(404, "not-found", "There is no open upload of this id: it ended, or never was.")
        return found

    def _arrived(self, upload: OpenUpload) -> list[Part]:
        """Raises ObjectGone."""
        return self.remote.parts(upload.key, upload.upload_id)

    def _accept_completed(self, upload: OpenUpload) -> None:
        """Raises Problem unless the object is there: an earlier answer to the completion was lost then."""
        found = self.bucket.head(upload.key)
        if found is None or found.size_bytes != upload.size_bytes:
            with self.db.begin() as tx:
                uploads.drop(tx, upload.id)
            raise Problem(409, "conflict", "The upload was aborted elsewhere: begin it again.")


def _check_parts(upload: OpenUpload, parts: list[Part]) -> None:
    """Raises Problem unless all parts are there, as large as they have to be."""
    arrived = {part.number for part in parts}
    missing = [number for number in range(1, upload.part_count + 1) if number not in arrived]
    if missing:
        named = ", ".join(map(str, missing[:_NAMED])) + (", …" if len(missing) > _NAMED else "")
        raise Problem(409, "conflict", f"{len(missing)} of {upload.part_count} parts are missing: {named}.")
    size_bytes = sum(part.size_bytes for part in parts)
    if size_bytes != upload.size_bytes:
        detail = f"{size_bytes} bytes have arrived; {upload.size_bytes} were announced."
        raise Problem(409, "conflict", detail)


def _open(upload: OpenUpload) -> models.OpenUpload:
    address = f"{_ADDRESS}/{upload.id}"
    return models.OpenUpload(
        id=upload.id,
        key=upload.key,
        size_bytes=upload.size_bytes,
        part_bytes=upload.part_bytes,
        part_count=upload.part_count,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        links=models.UploadLinks(self=address, parts=f"{address}/parts", completion=f"{address}/completion"),
    )
