"""Uploads past us: addresses that let somebody put one object, whole or in parts, for a short while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from inspector.aws.remote import error_code, remote
from inspector.errors import BucketUnavailable, ObjectGone

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MOST_PARTS: Final = 10_000  # S3's own limits
MOST_PUT_BYTES: Final = 5 * 2**30
PART_BYTES: Final = 16 * 2**20  # small enough to be repeated, large enough that requests do not count
SIGNED_S: Final = 3600  # for the beginning of a request; its end may take longer


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has arrived."""

    number: int
    etag: str
    size_bytes: int


class Uploads:
    """Uploads into one bucket. Every method that calls S3 may raise BucketUnavailable."""

    def __init__(self, client: S3Client, bucket: str, signer: S3Client) -> None:
        self.client = client
        self._bucket = bucket
        self._signer = signer

    def sign_put(self, key: str, size_bytes: int, content_type: str) -> str:
        """An address that takes one PUT of exactly so many bytes of this type."""
        return self._sign(
            "put_object", {"Key": key, "ContentLength": size_bytes, "ContentType": content_type}
        )

    def sign_part(self, key: str, upload_id: str, number: int) -> str:
        """An address that takes one PUT of this part."""
        return self._sign("upload_part", {"Key": key, "UploadId": upload_id, "PartNumber": number})

    @remote(BucketUnavailable)
    def begin(self, key: str, content_type: str) -> str:
        """Begin an upload in parts. Returns its id."""
        answer = self.client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
        return answer["UploadId"]

    @remote(BucketUnavailable)
    def parts(self, key: str, upload_id: str) -> list[Part]:
        """What has arrived, by number. Raises ObjectGone if the upload is no more."""
        pages = self.client.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=key, UploadId=upload_id
        )
        try:
            return [
                Part(part["PartNumber"], part["ETag"], part["Size"])
                for page in pages
                for part in page.get("Parts", ())
            ]
        except ClientError as exc:
            raise _gone_or(exc) from exc

    @remote(BucketUnavailable)
    def complete(self, key: str, upload_id: str, parts: list[Part]) -> None:
        """Make the object of its parts. Raises ObjectGone if the upload is no more."""
        listed: Any = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        try:
            self.client.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
            )
        except ClientError as exc:
            raise _gone_or(exc) from exc

    @remote(BucketUnavailable)
    def abort(self, key: str, upload_id: str) -> None:
        """Drop the upload and what has arrived of it. Absence is no error."""
        try:
            self.client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as exc:
            if not isinstance(_gone_or(exc), ObjectGone):
                raise

    def _sign(self, operation: str, params: dict[str, Any]) -> str:
        return self._signer.generate_presigned_url(
            operation, Params={"Bucket": self._bucket, **params}, ExpiresIn=SIGNED_S, HttpMethod="PUT"
        )


def part_size(size_bytes: int) -> int:
    """How large the parts of such an object are: all but the last alike, and not too many."""
    return max(PART_BYTES, -(-size_bytes // MOST_PARTS))


def _gone_or(exc: ClientError) -> Exception:
    return ObjectGone("this upload is no more") if error_code(exc) == "NoSuchUpload" else exc
