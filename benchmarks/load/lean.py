"""What the emulator gives to clients that cost next to nothing: no boto3, no signatures, no types.

The same three calls as of `benchmarks.load.ingest`: ten messages, a look at each key, one deletion.
"""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from inspector.events import parse_message
from inspector.settings import Settings


def take(settings: Settings, count: int) -> None:
    """Receive, look at and delete about so many messages, or what there is."""
    place = urlsplit(str(settings.aws_endpoint_url))
    with closing(HTTPConnection(str(place.hostname), place.port or 80, timeout=30)) as connection:
        client = _Client(connection, settings.aws_region)
        queue = client.sqs("GetQueueUrl", {"QueueName": settings.queue})["QueueUrl"]
        taken = 0
        while taken < count:
            asked = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 120}
            messages = client.sqs("ReceiveMessage", asked).get("Messages", [])
            if not messages:
                return
            for message in messages:
                for event in parse_message(message["Body"]):
                    client.ask("HEAD", f"/{settings.bucket}/{quote(event.key)}", "s3")
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(messages)
            ]
            client.sqs("DeleteMessageBatch", {"QueueUrl": queue, "Entries": entries})
            taken += len(messages)


class _Client:
    """One connection that stays open. The emulator looks at who asks, and not at the signature."""

    def __init__(self, connection: HTTPConnection, region: str) -> None:
        self._connection = connection
        self._scope = f"AWS4-HMAC-SHA256 Credential=test/20260101/{region}/%s/aws4_request"

    def sqs(self, action: str, arguments: dict[str, Any]) -> Any:
        headers = {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": "application/x-amz-json-1.0"}
        return json.loads(self.ask("POST", "/", "sqs", json.dumps(arguments), headers))

    def ask(
        self, method: str, target: str, service: str, body: str = "", headers: dict[str, str] | None = None
    ) -> bytes:
        """Raises SystemExit for any answer but 200."""
        signed = {"Authorization": self._scope % service, **(headers or {})}
        self._connection.request(method, target, body or None, signed)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {target}: {answer.status} {said[:200]!r}")
        return said
