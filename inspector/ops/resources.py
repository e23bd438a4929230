"""What the inspector wants of S3 and SQS, each as something that can be compared and made so.

Nothing that belongs to others is touched: foreign statements of the queue policy, foreign CORS rules and
notification rules stay as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from inspector.aws import Bucket, Queue
from inspector.aws.queue import is_missing_queue
from inspector.aws.remote import error_code, http_status, remote
from inspector.errors import BucketUnavailable, QueueUnavailable

RETENTION_S: Final = 14 * 24 * 3600  # the longest SQS offers: a weekend without workers loses nothing
#: A message is deleted as soon as its ingest is committed, so being received again means that a consumer died
#: or was stopped. Ten deaths by one message are no accident; nine restarts during a deployment may be.
MAX_RECEIVES: Final = 10
EVENTS: Final = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
LIFECYCLE_EVENTS: Final = ("s3:LifecycleExpiration:*",)  # not every endpoint knows them
RULE_ID: Final = "inspector-video-events"
CORS_RULE: Final[dict[str, Any]] = {
    "ID": "inspector",
    "AllowedMethods": ["GET", "PUT", "HEAD"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3600,
}
POLICY_SETTLES_S: Final = 30.0  # AWS may refuse a notification rule for some seconds after a change of policy


@dataclass(frozen=True, slots=True)
class Difference:
    """How a resource differs from what is wanted; `missing` if it is not there at all."""

    what: str
    missing: bool = False


class Resource(Protocol):
    """Something we want to be so. Both methods may raise Unavailable."""

    @property
    def name(self) -> str: ...

    def difference(self) -> Difference | None:
        """What is not as wanted; None if nothing."""

    def apply(self) -> None:
        """Make it so."""


def wanted_resources(
    bucket: Bucket, queue: Queue, *, visibility_s: int, cors_origins: Sequence[str] = ()
) -> list[Resource]:
    """All resources, each after those that it needs. cors_origins: empty for any."""
    return [
        DeadLetterQueue(queue),
        MainQueue(queue, visibility_s),
        TheBucket(bucket),
        QueuePolicy(bucket, queue),
        Cors(bucket, cors_origins),
        Notifications(bucket, queue),
    ]


# ---------------------------------------------------------------- queues


class _Attributes:
    """A queue that exists and has certain attributes; others it may have are left alone."""

    def __init__(self, queue: Queue, queue_name: str) -> None:
        self._client = queue.client
        self._queue_name = queue_name

    @property
    def name(self) -> str:
        return f"queue {self._queue_name}"

    def wanted(self) -> dict[str, str]:
        return {"MessageRetentionPeriod": str(RETENTION_S)}

    @remote(QueueUnavailable)
    def difference(self) -> Difference | None:
        found = read_attributes(self._client, self._queue_name)
        if found is None:
            return Difference("does not exist", missing=True)
        odd = [name for name, value in self.wanted().items() if not _same_attribute(found.get(name), value)]
        return Difference(f"has other {', '.join(odd)}") if odd else None

    @remote(QueueUnavailable)
    def apply(self) -> None:
        # Without attributes: asked for with others than it has, an existing queue would be an error.
        url = self._client.create_queue(QueueName=self._queue_name)["QueueUrl"]
        attributes: Any = self.wanted()
        self._client.set_queue_attributes(QueueUrl=url, Attributes=attributes)


class DeadLetterQueue(_Attributes):
    """Where messages go that could not be processed."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue, queue.dead_letter_name)


class MainQueue(_Attributes):
    """Where the bucket's notifications go."""

    def __init__(self, queue: Queue, visibility_s: int) -> None:
        super().__init__(queue, queue.name)
        self._queue = queue
        self._visibility_s = visibility_s

    def wanted(self) -> dict[str, str]:
        arn = queue_arn(self._queue, self._queue.dead_letter_name)
        redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": str(MAX_RECEIVES)}
        return {
            **super().wanted(),
            "VisibilityTimeout": str(self._visibility_s),
            "RedrivePolicy": json.dumps(redrive),
        }


class QueuePolicy:
    """This bucket, of this account, may send to the queue."""

    def __init__(self, bucket: Bucket, queue: Queue) -> None:
        self._bucket = bucket
        self._queue = queue

    @property
    def name(self) -> str:
        return f"policy of queue {self._queue.name}"

    @remote(QueueUnavailable)
    def difference(self) -> Difference | None:
        statements = self._statements()
        wanted = _unnamed(self._wanted())
        if any(_unnamed(statement) == wanted for statement in statements):
            return None
        named = any(statement.get("Sid") == self._statement_id() for statement in statements)
        return Difference("does not let the bucket send", missing=not named)

    @remote(QueueUnavailable)
    def apply(self) -> None:
        others = [one for one in self._statements() if one.get("Sid") != self._statement_id()]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [*others, self._wanted()]})
        url = self._queue.client.get_queue_url(QueueName=self._queue.name)["QueueUrl"]
        self._queue.client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def _statements(self) -> list[dict[str, Any]]:
        text = (read_attributes(self._queue.client, self._queue.name) or {}).get("Policy") or "{}"
        found = json.loads(text).get("Statement", [])
        return [found] if isinstance(found, dict) else list(found)

    def _statement_id(self) -> str:
        """Ours, for this bucket; letters and digits only, as all partitions take them."""
        return "inspector" + hashlib.sha256(self._bucket.name.encode()).hexdigest()[:16]

    def _wanted(self) -> dict[str, Any]:
        arn = queue_arn(self._queue, self._queue.name)
        _, partition, _, _, account, _ = arn.split(":", 5)
        return {
            "Sid": self._statement_id(),
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": f"arn:{partition}:s3:::{self._bucket.name}"},
                "StringEquals": {"aws:SourceAccount": account},
            },
        }


# ---------------------------------------------------------------- bucket


class TheBucket:
    """The bucket exists."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @property
    def name(self) -> str:
        return f"bucket {self._bucket.name}"

    @remote(BucketUnavailable)
    def difference(self) -> Difference | None:
        try:
            self._bucket.client.head_bucket(Bucket=self._bucket.name)
        except ClientError as exc:
            if http_status(exc) == 404:
                return Difference("does not exist", missing=True)
            raise
        return None

    @remote(BucketUnavailable)
    def apply(self) -> None:
        region: Any = self._bucket.client.meta.region_name
        # The only region that must not be named.
        place: Any = (
            {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        try:
            self._bucket.client.create_bucket(Bucket=self._bucket.name, **place)
        except ClientError as exc:
            if error_code(exc) != "BucketAlreadyOwnedByYou":
                raise


class Cors:
    """Browsers may read, and upload by signed addresses, from these pages; from any, if none are named.

    It is the signature in the address that grants access.
    """

    def __init__(self, bucket: Bucket, origins: Sequence[str] = ()) -> None:
        self._bucket = bucket
        self._rule = {**CORS_RULE, "AllowedOrigins": list(origins) or ["*"]}

    @property
    def name(self) -> str:
        return f"CORS of bucket {self._bucket.name}"

    @remote(BucketUnavailable)
    def difference(self) -> Difference | None:
        rules = self._rules()
        if any(_covers(rule, self._rule) for rule in rules):
            return None
        return Difference("does not let browsers in", missing=not any(map(_is_our_cors, rules)))

    @remote(BucketUnavailable)
    def apply(self) -> None:
        others = [rule for rule in self._rules() if not _is_our_cors(rule)]
        rules: Any = {"CORSRules": [*others, self._rule]}
        self._bucket.client.put_bucket_cors(Bucket=self._bucket.name, CORSConfiguration=rules)

    def _rules(self) -> list[Mapping[str, Any]]:
        try:
            return list(self._bucket.client.get_bucket_cors(Bucket=self._bucket.name)["CORSRules"])
        except ClientError as exc:
            if error_code(exc) == "NoSuchCORSConfiguration":
                return []
            raise


class Notifications:
    """The bucket tells the queue about each object that comes or goes."""

    def __init__(self, bucket: Bucket, queue: Queue) -> None:
        self._bucket = bucket
        self._queue = queue

    @property
    def name(self) -> str:
        return f"notifications of bucket {self._bucket.name}"

    @remote(BucketUnavailable)
    def difference(self) -> Difference | None:
        arn = queue_arn(self._queue, self._queue.name)
        rules = self._read().get("QueueConfigurations", [])
        told = {event for rule in rules if _tells_of_all_keys(rule, arn) for event in rule["Events"]}
        if set(EVENTS) <= told:
            return None
        return Difference("do not reach the queue", missing=not any(map(_is_our_rule, rules)))

    @remote(BucketUnavailable)
    def apply(self) -> None:
        try:
            self._put((*EVENTS, *LIFECYCLE_EVENTS))
        except ClientError as exc:
            if http_status(exc) >= 500 or _queue_refused(exc):
                raise
            self._put(EVENTS)

    def _put(self, events: Sequence[str]) -> None:
        configuration = self._read()
        others = [rule for rule in configuration.get("QueueConfigurations", []) if not _is_our_rule(rule)]
        ours = {"Id": RULE_ID, "QueueArn": queue_arn(self._queue, self._queue.name), "Events": list(events)}
        configuration["QueueConfigurations"] = [*others, ours]
        patient = Retrying(
            retry=retry_if_exception(_queue_refused),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            stop=stop_after_delay(POLICY_SETTLES_S),
            reraise=True,
        )
        patient(
            self._bucket.client.put_bucket_notification_configuration,
            Bucket=self._bucket.name,
            NotificationConfiguration=configuration,
        )

    def _read(self) -> dict[str, Any]:
        answer: Any = self._bucket.client.get_bucket_notification_configuration(Bucket=self._bucket.name)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


# ---------------------------------------------------------------- reading


def read_attributes(client: Any, queue_name: str) -> dict[str, str] | None:
    """All attributes of a queue; None if it does not exist."""
    try:
        url = client.get_queue_url(QueueName=queue_name)["QueueUrl"]
        found: dict[str, str] = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
    except ClientError as exc:
        if is_missing_queue(exc):
            return None
        raise
    return found


def queue_arn(queue: Queue, name: str) -> str:
    """The ARN of one of the queues. Raises QueueUnavailable if it does not exist."""
    attributes = read_attributes(queue.client, name)
    if attributes is None:
        raise QueueUnavailable(f"queue {name} does not exist")
    return attributes["QueueArn"]


def _unnamed(statement: Mapping[str, Any]) -> dict[str, Any]:
    """What a statement of a policy says, whoever wrote it."""
    return {name: value for name, value in statement.items() if name != "Sid"}


def _same_attribute(found: str | None, wanted: str) -> bool:
    if found is None or not wanted.startswith("{"):
        return found == wanted
    found_fields, wanted_fields = json.loads(found), json.loads(wanted)
    # Numbers come back as numbers or as text.
    return all(str(found_fields.get(name)) == value for name, value in wanted_fields.items())


def _is_our_cors(rule: Mapping[str, Any]) -> bool:
    return bool(rule.get("ID") == CORS_RULE["ID"])


def _covers(rule: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted is allowed, and to no other origins where ours are named."""
    fields = ("AllowedMethods", "AllowedOrigins", "AllowedHeaders", "ExposeHeaders")
    enough = all(set(wanted[field]) <= set(rule.get(field, ())) for field in fields)
    return enough and not (_is_our_cors(rule) and set(rule["AllowedOrigins"]) > set(wanted["AllowedOrigins"]))


def _is_our_rule(rule: Mapping[str, Any]) -> bool:
    return rule.get("Id") == RULE_ID


def _tells_of_all_keys(rule: Mapping[str, Any], arn: str) -> bool:
    """Whether a rule of this queue is for all keys; CloudFormation writes one for each kind of event."""
    filtered = bool(rule.get("Filter", {}).get("Key", {}).get("FilterRules"))
    return bool(rule.get("QueueArn") == arn) and not filtered


def _queue_refused(exc: BaseException) -> bool:
    """Whether S3 says that it may not send to the queue, as for a moment after the policy changed."""
    return isinstance(exc, ClientError) and "destination" in str(exc).lower()
