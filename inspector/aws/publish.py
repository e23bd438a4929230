"""Results where users of AWS expect them: tags on the object, a topic of SNS, a bus of EventBridge."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from inspector.aws.remote import error_code, http_status, remote
from inspector.errors import BucketUnavailable, Unavailable

TAG_PREFIX: Final = "inspector:"
_SOURCE: Final = "video-inspector"
_MOST_TAG_CHARS: Final = 256
#: Source: Amazon S3 User Guide, "Categorizing your storage using tags".
_IN_TAGS: Final = re.compile(r"[\w +\-=.:/@]*")
_NOTHING_THERE: Final = frozenset({404, 405})


class Tags:
    """Tags of the objects of one bucket. Those of others stay."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @remote(BucketUnavailable)
    def write(self, key: str, tags: Mapping[str, str | None]) -> bool:
        """Set our tags on the object; None takes one away. Returns whether there is such an object.

        names in `tags` stand without the prefix.
        """
        place = {"Bucket": self._bucket, "Key": key}
        ours = {TAG_PREFIX + name: value for name, value in tags.items()}
        try:
            found = self._client.get_object_tagging(**place)["TagSet"]
            kept = [tag for tag in found if tag["Key"] not in ours]
            wanted = kept + [
                {"Key": name, "Value": value} for name, value in ours.items() if value is not None
            ]
            if sorted(wanted, key=_name) != sorted(found, key=_name):
                self._client.put_object_tagging(**place, Tagging={"TagSet": wanted})
        except ClientError as exc:
            if http_status(exc) in _NOTHING_THERE and error_code(exc) != "NoSuchBucket":
                return False
            raise
        return True


class Topic:
    """A topic of SNS."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    @remote(Unavailable)
    def publish(self, kind: str, body: str) -> None:
        """Publish a document; its kind is an attribute, for filters of subscriptions."""
        attributes = {"type": {"DataType": "String", "StringValue": kind}}
        self._client.publish(TopicArn=self._arn, Message=body, MessageAttributes=attributes)


class Bus:
    """A bus of EventBridge."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    @remote(Unavailable)
    def put(self, kind: str, body: str) -> None:
        """Put an event; raises Unavailable too when the bus refuses it."""
        entry = {"Source": _SOURCE, "DetailType": kind, "Detail": body, "EventBusName": self._name}
        (result,) = self._client.put_events(Entries=[entry])["Entries"]
        if result.get("ErrorCode"):
            raise Unavailable(f"EventBridge refused the event: {json.dumps(result)}")


def tag_value(text: str, otherwise: str) -> str:
    """The text as the value of a tag; something else where tags cannot hold it."""
    fits = len(text) <= _MOST_TAG_CHARS and _IN_TAGS.fullmatch(text)
    return text if fits else otherwise


def _name(tag: Mapping[str, str]) -> str:
    return tag["Key"]
