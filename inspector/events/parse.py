"""Parsing queue messages. Whatever arrives is either understood as events, or a MalformedEvent.

Three envelopes occur: S3's own (`Records`), the same inside an SNS message, and EventBridge (`detail`).
Source: Amazon S3 User Guide, "Event message structure" and "Using EventBridge"; Amazon SNS, "Parsing message
formats".
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspector.errors import MalformedEvent
from inspector.events.dead_letter import REDRIVE_NAME, REDRIVE_SOURCE
from inspector.model import EventKind, ObjectEvent

_MOST_KEY_BYTES: Final = 1024  # Amazon S3 User Guide, "Creating object key names"
_MOST_RECORDS: Final = 1000  # S3 sends one; each costs a look at its key while the message is ours
_MOST_NESTING: Final = 3  # an S3 event in an SNS message, and one to spare

_EVENT_BRIDGE_KINDS: Final = {
    "Object Created": EventKind.CREATED,
    "Object Deleted": EventKind.REMOVED,
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Bucket(_Model):
    name: str = Field(min_length=3, max_length=255)


class _Object(_Model):
    key: str = Field(min_length=1)
    sequencer: str | None = Field(None, pattern="^[0-9A-Fa-f]{0,64}$")
    version_id: str | None = Field(None, alias="versionId", max_length=1024)


class _S3(_Model):
    bucket: _Bucket
    object: _Object


class _Record(_Model):
    version: str = Field("2.1", alias="eventVersion")
    source: str = Field("aws:s3", alias="eventSource")
    name: str = Field(alias="eventName")
    s3: _S3


class _EventBridgeObject(_Object):
    version_id: str | None = Field(None, alias="version-id", max_length=1024)


class _EventBridgeDetail(_Model):
    bucket: _Bucket
    object: _EventBridgeObject


class _EventBridge(_Model):
    type: str = Field(alias="detail-type")
    detail: _EventBridgeDetail


def parse_message(body: str) -> list[ObjectEvent]:
    """The events of a message; none for S3's test event, and for notifications that concern no content.

    Raises MalformedEvent if any part of it is not understood: then nothing of the message is acted on.
    """
    try:
        return _parse_envelope(_load(body), _MOST_NESTING)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MalformedEvent(f"{where}: {first['msg']}") from None


def _load(text: str) -> dict[str, Any]:
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedEvent("not JSON") from None
    if not isinstance(loaded, dict):
        raise MalformedEvent("not a JSON object")
    return loaded


def _parse_envelope(envelope: dict[str, Any], nesting: int) -> list[ObjectEvent]:
    if "Records" in envelope:
        return _parse_records(envelope["Records"])
    if envelope.get("Event") == "s3:TestEvent":
        return []
    if "detail-type" in envelope:
        return _parse_event_bridge(_EventBridge.model_validate(envelope))
    if isinstance(envelope.get("Message"), str) and nesting > 0:
        return _parse_envelope(_load(envelope["Message"]), nesting - 1)
    raise MalformedEvent("neither an S3, an SNS nor an EventBridge envelope")


def _parse_records(records: object) -> list[ObjectEvent]:
    if not isinstance(records, list) or not records:
        raise MalformedEvent("Records is not a list of records")
    if len(records) > _MOST_RECORDS:
        raise MalformedEvent(f"{len(records)} records in one message")
    parsed = [_parse_record(_Record.model_validate(record)) for record in records]
    return [event for event in parsed if event is not None]


def _parse_record(record: _Record) -> ObjectEvent | None:
    if record.version.partition(".")[0] != "2":
        raise MalformedEvent(f"event version {record.version!r} is not 2.x")
    kind = _kind(record)
    if kind is None:
        return None
    found = record.s3.object
    key = _checked_key(_unquote(found.key))
    return ObjectEvent(record.s3.bucket.name, key, kind, found.sequencer, found.version_id or None)


def _kind(record: _Record) -> EventKind | None:
    if record.source == REDRIVE_SOURCE and record.name == REDRIVE_NAME:
        return EventKind.REDRIVE
    if not record.source.endswith(":s3"):
        raise MalformedEvent(f"event source {record.source!r} is not S3")
    name = record.name.removeprefix("s3:")
    if name.startswith("ObjectCreated:"):
        return EventKind.CREATED
    if name.startswith(("ObjectRemoved:", "LifecycleExpiration:")):
        return EventKind.REMOVED
    return None  # tagging, ACLs, restores …: nothing about the content


def _parse_event_bridge(event: _EventBridge) -> list[ObjectEvent]:
    kind = _EVENT_BRIDGE_KINDS.get(event.type)
    if kind is None:
        return []
    found = event.detail.object  # its keys are not URL-encoded
    key = _checked_key(found.key)
    return [ObjectEvent(event.detail.bucket.name, key, kind, found.sequencer, found.version_id or None)]


def _unquote(key: str) -> str:
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        raise MalformedEvent("the key is not UTF-8") from None


def _checked_key(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise MalformedEvent("the key is not UTF-8") from None
    if size > _MOST_KEY_BYTES or "\x00" in key:
        raise MalformedEvent("the key is no S3 key: too long, or with a NUL")
    return key
