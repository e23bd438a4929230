"""What `inspector review --json` prints: times in seconds, moments in ISO 8601, contents by their sha256."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from inspector.review import Keeper
from inspector.review.actions import Plan
from inspector.store.actions import Action
from inspector.store.decisions import Made
from inspector.store.groups import GroupView, Member, PairView
from inspector.store.reviews import CommonStretch

Json = dict[str, Any]


def group_document(
    group: GroupView,
    keeper: Keeper,
    pairs: Sequence[PairView] | None = None,
    relations: Sequence[PairView] | None = None,
) -> Json:
    document: Json = {
        "id": str(group.id),
        "revision": group.revision,
        "score": group.score,
        "undecided": group.undecided,
        "keep": {"key": keeper.copy.key, "reason": keeper.reason},
        "members": [_member(member, keeper) for member in group.members],
    }
    if pairs is not None and relations is not None:
        document["pairs"] = [pair_document(pair) for pair in pairs]
        document["relations"] = [pair_document(pair) for pair in relations]
    return document


def pair_document(pair: PairView) -> Json:
    return {
        "id": str(pair.id),
        "revision": pair.revision,
        "verdict": pair.match.verdict,
        "score": pair.match.score,
        "speed": pair.match.speed,
        "decision": pair.decision,
        "a": _member(pair.a),
        "b": _member(pair.b),
        "segments": [asdict(segment) for segment in pair.match.segments],
        "evidence": asdict(pair.match.evidence),
    }


def common_document(stretch: CommonStretch) -> Json:
    return {
        "id": str(stretch.id),
        "revision": stretch.revision,
        "start_s": stretch.id.start_ms / 1000,
        "end_s": stretch.id.end_ms / 1000,
        "shared_by": stretch.shared_by,
        "ruling": stretch.ruling,
        "in": _member(stretch.member),
    }


def decision_document(made: Made, keys: dict[bytes, tuple[str, ...]]) -> Json:
    return {
        "id": f"d{made.number}",
        "kind": made.kind,
        "subject": made.subject,
        "made_on": made.made_on,
        "by": made.actor,
        "at": made.made_at.isoformat(),
        "note": made.note,
        "undone_by": made.undone and f"d{made.undone}",
        "undoes": [f"d{number}" for number in made.undoes],
        "entries": [
            {
                "a": _content(entry.about.sha256_a, keys),
                "b": _content(entry.about.sha256_b, keys),
                "keep": entry.keep and entry.keep[1],
            }
            for entry in made.entries
        ],
    }


def plan_document(plan: Plan) -> Json:
    return {
        "action": plan.kind,
        "steps": [asdict(step) for step in plan.steps],
        "left_alone": plan.left_alone,
        "refused": list(plan.refused.values()),
    }


def action_document(action: Action) -> Json:
    return {
        "id": f"a{action.id}",
        "action": action.step.kind,
        "state": action.state,
        "key": action.step.key,
        "target": action.step.target,
        "kept": action.step.keeper_key,
        "decision": f"d{action.decision}",
        "by": action.actor,
        "started_at": action.started_at.isoformat(),
        "finished_at": action.finished_at and action.finished_at.isoformat(),
        "undone_by": action.undone_by,
        "error": action.error,
    }


def _member(member: Member, keeper: Keeper | None = None) -> Json:
    return {
        "sha256": member.sha256.hex(),
        "duration_s": member.duration_s,
        "media": asdict(member.media),
        "videos": [
            {
                "key": video.key,
                "size_bytes": video.size_bytes,
                "uploaded_at": video.uploaded_at.isoformat(),
                **({} if keeper is None else {"against": keeper.against.get(video.id)}),
            }
            for video in member.videos
        ],
    }


def _content(sha256: bytes, keys: dict[bytes, tuple[str, ...]]) -> Json:
    return {"sha256": sha256.hex(), "keys": list(keys.get(sha256, ()))}
