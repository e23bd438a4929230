"""What all tables have in common, and the channels that tell of changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import DateTime, Double, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

CHANGES_CHANNEL: Final = "inspector_changes"  # payload: "video:<id>" or "content:<id>"
JOBS_CHANNEL: Final = "inspector_jobs"  # a job may be claimed now; no payload
CLAIMABLE: Final = "state IN ('queued', 'processing')"


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy's own convention)
        str: Text(),
        datetime: DateTime(timezone=True),
        float: Double(),
        bytes: LargeBinary(),
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
    }
