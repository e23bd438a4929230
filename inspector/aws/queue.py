"""The queues: receive hints, delete what was ingested, put aside what could not be processed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from botocore.exceptions import ClientError

from inspector.aws.remote import ATTEMPTS, error_code, remote
from inspector.errors import QueueUnavailable
from inspector.model import QueueMessage

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

log = structlog.get_logger(__name__)

BATCH: Final = 10  # entries SQS takes in one call
MAX_MESSAGE_BYTES: Final = 256 * 1024  # body and attributes; AWS takes 1 MiB since 2025, emulators do not
MAX_REASON_CHARS: Final = 1000
_MOMENTS: Final = ("SentTimestamp", "ApproximateFirstReceiveTimestamp")  # both by the clock of SQS, in ms
_RESERVED_BYTES: Final = 16 * 1024  # of a message, for its attributes

# What is said of a receipt that has expired; LocalStack calls some of them a fault of the server.
_EXPIRED: Final = frozenset(
    {"ReceiptHandleIsInvalid", "InvalidParameterValueException", "MessageNotInflight"}
)
_MISSING_QUEUE: Final = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
# Characters that SQS refuses: all but tab, line feed, carriage return and XML 1.0's ranges.
_REFUSED: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class QueueDepths:
    """About how many messages wait, are being worked on, and were dead-lettered."""

    visible: int
    in_flight: int
    dead: int


class Queue:
    """The queue of notifications and its dead-letter queue. Every method may raise QueueUnavailable."""

    def __init__(self, client: SQSClient, name: str, dead_letter_name: str) -> None:
        self.client = client
        self.name = name
        self.dead_letter_name = dead_letter_name
        self._urls: dict[str, str] = {}

    @remote(QueueUnavailable)
    def receive(self, *, wait_s: int, visibility_s: int, limit: int = BATCH) -> list[QueueMessage]:
        """Up to `limit` (at most 10) messages, ours for `visibility_s`; waits up to `wait_s` (at most 20)."""
        answer = self._call(
            self.name,
            self.client.receive_message,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=visibility_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount", *_MOMENTS],
        )
        return [_message(message) for message in answer.get("Messages", ())]

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages for good. One whose receipt has expired is left: it comes again, which is safe."""
        self._in_batches(messages, self.client.delete_message_batch, {})

    def release(self, messages: Sequence[QueueMessage]) -> None:
        """Hand messages back unprocessed: others may receive them at once."""
        self._in_batches(messages, self.client.change_message_visibility_batch, {"VisibilityTimeout": 0})

    @remote(QueueUnavailable)
    def send(self, body: str) -> None:
        """Put a message into the queue."""
        self._call(self.name, self.client.send_message, MessageBody=body)

    @remote(QueueUnavailable)
    def dead_letter(self, body: str, reason: str, *, attributes: Mapping[str, str] | None = None) -> None:
        """Put a message aside, with the reason and other short texts as message attributes.

        A body over the limit is cut, and says so in the attribute `original_bytes`.
        """
        text = sendable(body) or "(empty)"
        texts = {"reason": reason, **(attributes or {})}
        if len(body.encode(errors="replace")) > MAX_MESSAGE_BYTES - _RESERVED_BYTES:
            texts["original_bytes"] = str(len(body.encode(errors="replace")))
        self._call(
            self.dead_letter_name,
            self.client.send_message,
            MessageBody=cut_bytes(text, MAX_MESSAGE_BYTES - _RESERVED_BYTES),
            MessageAttributes={name: _attribute(value) for name, value in list(texts.items())[:BATCH]},
        )

    @remote(QueueUnavailable)
    def depths(self) -> QueueDepths:
        """How full the queues are, approximately."""
        visible, in_flight = self._depth(self.name)
        return QueueDepths(visible, in_flight, dead=self._depth(self.dead_letter_name)[0])

    def _depth(self, queue: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._call(queue, self.client.get_queue_attributes, AttributeNames=names).get(
            "Attributes", {}
        )
        return int(found.get(names[0], 0)), int(found.get(names[1], 0))

    def _in_batches(
        self, messages: Sequence[QueueMessage], call: Callable[..., Any], extra: dict[str, Any]
    ) -> None:
        for start in range(0, len(messages), BATCH):
            waiting = list(messages[start : start + BATCH])
            for _ in range(ATTEMPTS):
                waiting = self._batch(waiting, call, extra)
                if not waiting:
                    break
            else:
                raise QueueUnavailable(f"{self.name} did not take {len(waiting)} entries of a batch")

    @remote(QueueUnavailable)
    def _batch(
        self, messages: list[QueueMessage], call: Callable[..., Any], extra: dict[str, Any]
    ) -> list[QueueMessage]:
        """Do one batch. Returns the messages to try again: those that failed, but not for being expired."""
        entries = [{"Id": str(i), "ReceiptHandle": m.receipt_handle, **extra} for i, m in enumerate(messages)]
        again = []
        for fault in self._call(self.name, call, Entries=entries).get("Failed", ()):
            message = messages[int(fault["Id"])]
            if fault["SenderFault"] or fault["Code"] in _EXPIRED:
                log.info("receipt_expired", message_id=message.message_id, code=fault["Code"])
            else:
                again.append(message)
        return again

    def _call(self, queue: str, call: Callable[..., Any], **arguments: Any) -> Any:
        """Call SQS with the queue's URL, which is looked up once, and again after the queue was missing."""
        try:
            if queue not in self._urls:
                self._urls[queue] = self.client.get_queue_url(QueueName=queue)["QueueUrl"]
            return call(QueueUrl=self._urls[queue], **arguments)
        except ClientError as exc:
            if is_missing_queue(exc):
                self._urls.pop(queue, None)
                raise QueueUnavailable(f"queue {queue} does not exist: run `inspector bootstrap`") from exc
            raise


def _message(received: Any) -> QueueMessage:
    attributes = received.get("Attributes", {})
    sent_ms, first_ms = (attributes.get(name) for name in _MOMENTS)
    return QueueMessage(
        message_id=received["MessageId"],
        receipt_handle=received["ReceiptHandle"],
        body=received["Body"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        lag_s=max(0.0, (int(first_ms) - int(sent_ms)) / 1000) if sent_ms and first_ms else None,
    )


def is_missing_queue(exc: ClientError) -> bool:
    """Whether SQS says that the queue does not exist."""
    return error_code(exc) in _MISSING_QUEUE


def sendable(text: str) -> str:
    """The text with each character that SQS refuses replaced by U+FFFD."""
    return _REFUSED.sub("\ufffd", text)


def cut_bytes(text: str, limit_bytes: int) -> str:
    """The longest beginning of a text that takes no more than so many bytes of UTF-8."""
    return text.encode()[:limit_bytes].decode(errors="ignore")


def _attribute(value: str) -> Any:
    return {"DataType": "String", "StringValue": sendable(value)[:MAX_REASON_CHARS] or "-"}
