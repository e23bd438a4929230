"""What may be done to the objects that decisions condemn: tag, move or delete them. Planning is pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.errors import DecisionRefused
from inspector.review.losses import Losses
from inspector.settings import RESERVED_PREFIX

MOST_KEY_BYTES: Final = 1024  # S3's limit
MOST_TAGS: Final = 10  # S3's limit
#: What S3 permits in the value of a tag. Source: S3 User Guide, "Categorizing your objects using tags".
_NOT_IN_TAGS: Final = re.compile(r"[^\w .:/=+@-]")
_TAG_CHARS: Final = 256


class ActionKind(StrEnum):
    TAG = "tag"
    MOVE = "move"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One object, and what is to be done with it. target: the key it is moved to."""

    kind: ActionKind
    decision_id: int
    bucket: str
    key: str
    etag: str
    version_id: str | None
    size_bytes: int
    keeper_key: str
    keeper_etag: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """steps: what would be done.  left_alone: why other condemned objects stay, by key.  refused: why a
    decision condemns nothing, by the id of its entry.
    """

    kind: ActionKind
    steps: tuple[Step, ...]
    left_alone: dict[str, str]
    refused: dict[int, str]


def plan_steps(kind: ActionKind, losses: Losses, *, bucket: str, prefix: str | None = None) -> Plan:
    """What a kind of action would do to what the decisions condemn in this bucket.

    prefix: where `move` puts them, before their whole keys. Raises DecisionRefused for one that cannot be.
    """
    if kind is ActionKind.MOVE and (not prefix or prefix.startswith(RESERVED_PREFIX)):
        raise DecisionRefused(f"objects can be moved to any prefix, but not to {prefix or 'none'!r}")
    steps: list[Step] = []
    left_alone: dict[str, str] = {}
    for loss in losses.losses:
        lost, keeper = loss.holding, loss.keeper
        target = f"{prefix}{lost.key}" if kind is ActionKind.MOVE else None
        obstacle = _obstacle(lost.key, lost.bucket, keeper.bucket, bucket, target, prefix)
        if obstacle is not None:
            left_alone[lost.key] = obstacle
            continue
        steps.append(
            Step(
                kind=kind, decision_id=loss.decision_id, bucket=bucket, key=lost.key, etag=lost.etag,
                version_id=lost.version_id, size_bytes=lost.size_bytes, keeper_key=keeper.key,
                keeper_etag=keeper.etag, target=target,
            )
        )  # fmt: skip
    return Plan(kind, tuple(steps), left_alone, losses.refused)


def tags_of(step: Step, before: dict[str, str], decision: int) -> dict[str, str]:
    """The tags of a condemned object. Raises DecisionRefused if it would have too many."""
    tags = {
        **before,
        "inspector:decision": f"d{decision}",
        "inspector:duplicate-of": _NOT_IN_TAGS.sub("_", step.keeper_key)[:_TAG_CHARS],
    }
    if len(tags) > MOST_TAGS:
        raise DecisionRefused(f"{step.key!r} has {len(before)} tags, and S3 permits no more than {MOST_TAGS}")
    return tags


def _obstacle(
    key: str, lost_in: str, kept_in: str, bucket: str, target: str | None, prefix: str | None
) -> str | None:
    """Why an object is left alone."""
    if key.startswith(RESERVED_PREFIX):
        return f"what lies under {RESERVED_PREFIX} is never touched"
    if (lost_in, kept_in) != (bucket, bucket):
        return "it lies in another bucket, or what is kept does"
    if target is not None and key.startswith(prefix or ""):
        return "it lies under this prefix already"
    if target is not None and len(target.encode()) > MOST_KEY_BYTES:
        return "its key would be too long"
    return None
