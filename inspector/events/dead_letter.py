"""The message we leave in the dead-letter queue for a failed job; moved back, it inspects the video again."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote_plus

REDRIVE_SOURCE: Final = "inspector:redrive"
REDRIVE_NAME: Final = "Redrive"


def redrive_body(bucket: str, key: str, reason: str) -> str:
    """An S3-like event: readable for people, and for `parse_message` when the queue is redriven."""
    record = {
        "eventVersion": "2.1",
        "eventSource": REDRIVE_SOURCE,
        "eventName": REDRIVE_NAME,
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}},
    }
    return json.dumps({"Records": [record], "reason": reason[:1000]})
