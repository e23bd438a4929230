"""The bucket: look at a key, list, read and write objects, sign addresses for browsers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from s3transfer.futures import NonThreadedExecutor, TransferFuture
from s3transfer.manager import TransferManager
from s3transfer.subscribers import BaseSubscriber

from inspector.aws.remote import FOREIGN_ERRORS, error_code, http_status, remote
from inspector.errors import (
    BucketUnavailable,
    InspectorError,
    ObjectChanged,
    ObjectForbidden,
    ObjectGone,
)
from inspector.model import ObjectState

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import CopySourceTypeDef, TagTypeDef

MAX_KEY_BYTES: Final = 1024
SIGNED_S: Final = 300  # long enough to begin to play; a page asks for another when it needs one
MOST_SIGNED_S: Final = 3600
_MIB: Final = 2**20

# S3 takes up to 10,000 parts: 640 GB.
_UPLOAD: Final = TransferConfig(
    use_threads=False, multipart_threshold=64 * _MIB, multipart_chunksize=64 * _MIB
)
# S3 copies up to 5 GB in one step.
_COPY: Final = TransferConfig(
    use_threads=False, multipart_threshold=5 * 10**9, multipart_chunksize=512 * _MIB
)
# Statuses by which S3 says that nothing readable lies under a key: never was, delete marker, no such version.
_NOTHING_THERE: Final = frozenset({404, 405})
# ... and by which it says that this object is not for us: a policy, another owner, a customer's key.
_NOT_FOR_US: Final = frozenset({400, 403})


class Sink(Protocol):
    """Where a download goes. Bytes come in order and once; what `write` raises ends the download."""

    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    """Where an upload comes from. fault: an error of ours by which a read failed."""

    @property
    def fault(self) -> InspectorError | None: ...

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ListPage:
    """A piece of the bucket's listing: keys in ascending UTF-8 order. `last`: nothing comes after it."""

    objects: list[tuple[str, ObjectState]]
    last: bool


class Bucket:
    """One S3 bucket. Every method may raise BucketUnavailable; a missing bucket is never an empty one."""

    def __init__(self, client: S3Client, name: str, signer: S3Client | None = None) -> None:
        self.client = client
        self.name = name
        self._signer = signer or client

    @property
    def public_origin(self) -> str:
        """Scheme and host of signed addresses; empty while nothing can be signed."""
        try:
            signed = urlsplit(self.signed_url("-"))
        except BotoCoreError:  # no credentials yet
            return ""
        return f"{signed.scheme}://{signed.netloc}"

    @remote(BucketUnavailable)
    def check(self) -> None:
        """Raise BucketUnavailable unless the bucket answers."""
        try:
            self.client.head_bucket(Bucket=self.name)
        except ClientError as exc:
            if http_status(exc) == 404:
                raise BucketUnavailable(
                    f"bucket {self.name} does not exist: run `inspector bootstrap`"
                ) from exc
            raise

    @remote(BucketUnavailable)
    def clock(self) -> datetime | None:
        """What time it is by S3, to the second; None if it does not tell. It tells even who is refused."""
        try:
            answer: Any = self.client.head_bucket(Bucket=self.name)
        except ClientError as exc:
            answer = exc.response
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return parsedate_to_datetime(told) if told else None

    @remote(BucketUnavailable)
    def head(self, key: str, version_id: str | None = None) -> ObjectState | None:
        """What lies under the key now; None if nothing does, as for a delete marker or impossible key.

        Raises ObjectForbidden if the bucket answers, but not for this object.
        """
        if not possible_key(key):
            return None
        try:
            return _state(self.client.head_object(Bucket=self.name, Key=key, **_version(version_id)))
        except ClientError as exc:
            if http_status(exc) not in _NOTHING_THERE | _NOT_FOR_US:
                raise
            # HEAD answers have no body: a missing bucket or an expired token look just the same.
            self.check()
            if http_status(exc) in _NOT_FOR_US:
                raise ObjectForbidden(f"S3 refuses to tell of {key!r} ({http_status(exc)})") from exc
        return None

    @remote(BucketUnavailable)
    def list_page(self, start_after: str = "", prefix: str = "", limit: int = 1000) -> ListPage:
        """Up to `limit` (at most 1,000) objects whose keys follow `start_after` and begin with `prefix`."""
        wanted: Any = {"Bucket": self.name, "StartAfter": start_after, "Prefix": prefix, "MaxKeys": limit}
        page = self.client.list_objects_v2(**wanted)
        if start_after and _is_of_localstack(page):
            # It compares encoded keys with the plain `start_after`: some are passed over, and where keys
            # have spaces, the same ones come for ever.
            with suppress(ResponseParserError, ClientError):  # a key that XML cannot hold: keep what we have
                page = self.client.list_objects_v2(**{**wanted, "EncodingType": ""})
        objects = [
            (item["Key"], _state({**item, "ContentLength": item["Size"]}))
            for item in page.get("Contents", ())
        ]
        return ListPage(objects, last=not page.get("IsTruncated", False))

    def download(
        self, key: str, sink: Sink, *, version_id: str | None = None, expected: ObjectState | None = None
    ) -> ObjectState:
        """Write the object's bytes to `sink` in order, in one stream, and return what was read.

        expected: the state that the caller looked at; another ETag raises ObjectChanged. The stream is
        pinned to one ETag, so the bytes never come from two versions. Raises ObjectGone if nothing lies
        there. What the sink raises comes through unchanged.
        """
        state = expected or self.head(key, version_id)
        if state is None:
            raise ObjectGone(f"nothing lies under {key!r} in {self.name}")
        self._download(key, _ResumingSink(sink), version_id, state)
        return state

    @remote(BucketUnavailable)
    def _download(self, key: str, sink: _ResumingSink, version_id: str | None, state: ObjectState) -> None:
        # One GET, not the transfer manager: MiniStack reads the whole object again for every range, a sink
        # that hashes wants its bytes in order, and the manager writes a beginning once more that broke off.
        sink.rewind()
        pinned = {"IfMatch": f'"{state.etag}"', **_version(version_id)}
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key, **pinned)
        except ClientError as exc:
            _raise_if_other(exc, key)
            raise
        with closing(answer["Body"]) as body:
            while piece := body.read(_MIB):
                sink.write(piece)

    @remote(BucketUnavailable)
    def put(self, key: str, body: bytes) -> None:
        """Store a small object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    @remote(BucketUnavailable)
    def read(self, key: str, start: int, size_bytes: int) -> bytes | None:
        """A few bytes of a small object, from `start` on; None if nothing lies there."""
        last = start + size_bytes - 1
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key, Range=f"bytes={start}-{last}")
            return answer["Body"].read()
        except ClientError as exc:
            if http_status(exc) in _NOTHING_THERE | _NOT_FOR_US | {416}:
                return None
            raise

    @remote(BucketUnavailable)
    def upload(self, path: Path, key: str, *, on_bytes: Callable[[int], None] | None = None) -> None:
        """Store a file; `on_bytes` hears how many more bytes were sent; negative when it starts anew."""
        progress = _Progress(on_bytes)
        with TransferManager(self.client, _UPLOAD, executor_cls=NonThreadedExecutor) as transfers:
            try:
                transfers.upload(str(path), self.name, key, subscribers=[progress]).result()
            except FOREIGN_ERRORS:
                progress.take_back()
                raise

    @remote(BucketUnavailable)
    def send(
        self,
        source: Source,
        key: str,
        *,
        metadata: Mapping[str, str],
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Store what `source` holds, with metadata. Raises its `fault`, which ends the upload at once."""
        progress = _Progress(on_bytes)
        source.seek(0)
        as_file: Any = source
        with TransferManager(self.client, _UPLOAD, executor_cls=NonThreadedExecutor) as transfers:
            extra = {"Metadata": dict(metadata)}
            try:
                transfers.upload(as_file, self.name, key, extra, subscribers=[progress]).result()
            except FOREIGN_ERRORS as exc:
                progress.take_back()
                if source.fault is not None:
                    raise source.fault from exc
                raise

    @remote(BucketUnavailable)
    def describe(self, key: str) -> tuple[int, dict[str, str]] | None:
        """Size in bytes and metadata of what lies under the key; None if nothing readable does."""
        try:
            head = self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as exc:
            if http_status(exc) not in _NOTHING_THERE | _NOT_FOR_US:
                raise
            self.check()
            return None
        return head["ContentLength"], head["Metadata"]

    @remote(BucketUnavailable)
    def delete(self, key: str) -> None:
        """Remove the object (in a versioned bucket: put a delete marker on it). Absence is no error."""
        self.client.delete_object(Bucket=self.name, Key=key)

    @remote(BucketUnavailable)
    def delete_exactly(self, key: str, etag: str) -> str | None:
        """Remove the object if it still has this ETag. Returns the version of the delete marker put on it.

        Raises ObjectChanged if another object lies there. None: the bucket keeps no versions, it is gone.
        """
        try:
            answer = self.client.delete_object(Bucket=self.name, Key=key, IfMatch=f'"{etag}"')
        except ClientError as exc:
            _raise_if_other(exc, key)
            raise
        marker = answer.get("VersionId") if answer.get("DeleteMarker") else None
        return None if marker == "null" else marker  # where versioning is suspended nothing is left below it

    @remote(BucketUnavailable)
    def delete_marker(self, key: str) -> str | None:
        """The version of the delete marker that lies under the key now; None if there is none."""
        try:
            self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as exc:
            if http_status(exc) not in _NOTHING_THERE:
                raise
            told = exc.response["ResponseMetadata"]["HTTPHeaders"]
            return told.get("x-amz-version-id") if told.get("x-amz-delete-marker") == "true" else None
        return None

    @remote(BucketUnavailable)
    def undelete(self, key: str, marker: str) -> None:
        """Remove a delete marker: what lay there before lies there again."""
        self.client.delete_object(Bucket=self.name, Key=key, VersionId=marker)

    @remote(BucketUnavailable)
    def keeps_versions(self) -> bool:
        """Whether what is deleted can be brought back."""
        return self.client.get_bucket_versioning(Bucket=self.name).get("Status") == "Enabled"

    @remote(BucketUnavailable)
    def tags(self, key: str) -> dict[str, str]:
        """Raises ObjectGone if nothing lies there."""
        try:
            answer = self.client.get_object_tagging(Bucket=self.name, Key=key)
        except ClientError as exc:
            _raise_if_other(exc, key)
            raise
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    @remote(BucketUnavailable)
    def set_tags(self, key: str, tags: dict[str, str]) -> None:
        """Replace all tags of the object. Raises ObjectGone if nothing lies there."""
        wanted: list[TagTypeDef] = [{"Key": name, "Value": value} for name, value in tags.items()]
        try:
            self.client.put_object_tagging(Bucket=self.name, Key=key, Tagging={"TagSet": wanted})
        except ClientError as exc:
            _raise_if_other(exc, key)
            raise

    @remote(BucketUnavailable)
    def copy(self, key: str, target: str, etag: str) -> None:
        """Copy an object of this ETag, with its tags and metadata, to another key of the bucket.

        Raises ObjectGone or ObjectChanged. Above 5 GB it is copied in parts.
        """
        source: CopySourceTypeDef = {"Bucket": self.name, "Key": key}
        pinned: dict[str, Any] = {"CopySourceIfMatch": f'"{etag}"'}
        try:
            head = self.client.head_object(Bucket=self.name, Key=key)
            if head["ContentLength"] > _COPY.multipart_threshold:  # parts bring neither along
                pinned |= {"Metadata": head["Metadata"], "ContentType": head["ContentType"]}
            with TransferManager(self.client, _COPY, executor_cls=NonThreadedExecutor) as transfers:
                transfers.copy(source, self.name, target, pinned).result()
            if head["ContentLength"] > _COPY.multipart_threshold:
                self.set_tags(target, self.tags(key))
        except FOREIGN_ERRORS as exc:
            _raise_if_other(exc, key)
            raise

    def signed_url(self, key: str, expires_s: int = SIGNED_S) -> str:
        """An address by which a browser may read the object for `expires_s` seconds; whoever has it may.

        Raises ValueError above MOST_SIGNED_S: nobody can take such an address back.
        """
        if not 0 < expires_s <= MOST_SIGNED_S:
            raise ValueError(f"an address may be signed for 1 to {MOST_SIGNED_S} s, not {expires_s}")
        return self._signer.generate_presigned_url(
            "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=expires_s
        )


def possible_key(key: str) -> bool:
    """Whether S3 could hold such a key: 1 to 1,024 bytes of UTF-8."""
    try:
        return 1 <= len(key.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError:
        return False


class _Progress(BaseSubscriber):
    """Passes on how many bytes were sent, and can take them back when the upload starts anew."""

    def __init__(self, on_bytes: Callable[[int], None] | None) -> None:
        self._on_bytes = on_bytes
        self._sent = 0

    def on_progress(self, future: TransferFuture, bytes_transferred: int, **_: Any) -> None:
        self._sent += bytes_transferred
        if self._on_bytes:
            self._on_bytes(bytes_transferred)

    def take_back(self) -> None:
        if self._on_bytes and self._sent:
            self._on_bytes(-self._sent)
        self._sent = 0


class _ResumingSink:
    """Hands each byte over once, however often the download begins anew; its ETag grants the same bytes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._position = 0
        self._written = 0

    def rewind(self) -> None:
        """The stream begins again."""
        self._position = 0

    def write(self, data: bytes) -> None:
        fresh = data[max(0, self._written - self._position) :]
        self._position += len(data)
        if fresh:
            self._sink.write(fresh)
            self._written += len(fresh)


def _raise_if_other(exc: BaseException, key: str) -> None:
    """Raise ObjectGone or ObjectChanged if that is what a failed call says."""
    code = error_code(exc)
    if code in ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "404"):
        raise ObjectGone(f"{key!r} is gone") from exc
    if code in ("PreconditionFailed", "412"):
        raise ObjectChanged(f"{key!r} was overwritten") from exc


def _version(version_id: str | None) -> dict[str, Any]:
    return {"VersionId": version_id} if version_id else {}


def _is_of_localstack(answer: Any) -> bool:
    return "x-localstack" in answer["ResponseMetadata"]["HTTPHeaders"]


def _state(answer: Any) -> ObjectState:
    """From HeadObject's or ListObjectsV2's words. HEAD tells whole seconds only, so both are cut to them."""
    modified: datetime = answer["LastModified"]
    return ObjectState(
        size_bytes=answer["ContentLength"],
        etag=answer["ETag"].strip('"'),
        last_modified=modified.astimezone(UTC).replace(microsecond=0),
        version_id=answer.get("VersionId"),
    )
