"""Groups, pairs, decisions and actions as documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inspector.api.documents import evidence_document, media_document
from inspector.api.v1 import models
from inspector.api.v1.answers import PREFIX
from inspector.api.v1.review_models import (
    ActionDocument,
    ActionResult,
    Content,
    Copy,
    DecisionEntry,
    Group,
    GroupDetails,
    LeftAlone,
    MadeDecision,
    Member,
    Outcome,
    Pair,
    PlanDocument,
    SelfLink,
    StepDocument,
    Stretch,
    Suggestion,
)
from inspector.api.v1.videos import segment_of
from inspector.errors import DecisionOutdated
from inspector.review import Keeper
from inspector.review.actions import Plan
from inspector.store import groups, reviews
from inspector.store.actions import Action, Done
from inspector.store.decisions import WHOLE, Entry, Made
from inspector.store.groups import GroupView, PairView
from inspector.store.judgements import Report

Keys = Mapping[bytes, Sequence[str]]  # by sha256


def group_of(group: GroupView, keeper: Keeper) -> Group:
    return Group(
        id=str(group.id),
        revision=group.revision,
        score=round(group.score, 6),
        decided=not group.undecided,
        keep=Suggestion(id=keeper.copy.video_id, key=keeper.copy.key, reason=keeper.reason),
        members=[_member(member, keeper) for member in group.members],
        links=SelfLink(self=f"{PREFIX}/groups/{group.id}"),
    )


def details_of(found: reviews.GroupDetails) -> GroupDetails:
    group = group_of(found.group, found.keeper)
    return GroupDetails(
        **{name: getattr(group, name) for name in Group.model_fields},
        pairs=[pair_of(pair) for pair in found.pairs],
        relations=[pair_of(pair) for pair in found.relations],
    )


def pair_of(pair: PairView) -> Pair:
    return Pair(
        id=str(pair.id),
        revision=pair.revision,
        verdict=pair.match.verdict,
        score=round(pair.match.score, 6),
        speed=round(pair.match.speed, 6),
        decision=pair.decision,
        a=_member(pair.a),
        b=_member(pair.b),
        segments=[segment_of(segment) for segment in pair.match.segments],
        evidence=models.MatchEvidence.model_validate(evidence_document(pair.match.evidence)),
        links=SelfLink(self=f"{PREFIX}/pairs/{pair.id}"),
    )


def stretch_of(stretch: reviews.CommonStretch) -> Stretch:
    return Stretch(
        id=str(stretch.id),
        revision=stretch.revision,
        start_s=stretch.id.start_ms / 1000,
        end_s=stretch.id.end_ms / 1000,
        shared_by=stretch.shared_by,
        ruling=stretch.ruling,
        example=_member(stretch.member),
    )


def made_of(made: Made, keys: Keys) -> MadeDecision:
    return MadeDecision(
        id=f"d{made.number}",
        kind=made.kind,
        subject=made.subject,
        made_on=made.made_on,
        by=made.actor,
        at=made.made_at,
        note=made.note,
        undone_by=None if made.undone is None else f"d{made.undone}",
        undoes=[f"d{number}" for number in made.undoes],
        entries=[_entry(entry, keys) for entry in made.entries],
    )


def outcomes_of(report: Report) -> list[Outcome]:
    return [
        Outcome(
            subject=outcome.subject,
            decision=None if outcome.number is None else f"d{outcome.number}",
            error=None if outcome.error is None else str(outcome.error),
            changes=list(outcome.error.changes) if isinstance(outcome.error, DecisionOutdated) else [],
        )
        for outcome in report.outcomes
    ]


def action_of(action: Action) -> ActionDocument:
    return ActionDocument(
        id=f"a{action.id}",
        kind=action.step.kind,
        state=action.state,
        key=action.step.key,
        target=action.step.target,
        kept=action.step.keeper_key,
        decision=f"d{action.decision}",
        by=action.actor,
        started_at=action.started_at,
        finished_at=action.finished_at,
        undone_by=action.undone_by,
        error=action.error,
    )


def result_of(done: Done) -> ActionResult:
    action = None if done.action is None else action_of(done.action)
    return ActionResult(key=done.key, action=action, error=done.error)


def plan_of(
    plan: Plan, done: Mapping[str, Done] | None, *, undoable: bool, total: int, after: str | None
) -> PlanDocument:
    """done: what came of each key; None: nothing was done."""
    results = {key: result_of(each) for key, each in (done or {}).items()}
    return PlanDocument(
        kind=plan.kind,
        carried_out=done is not None,
        undoable=undoable,
        total=total,
        steps=[
            StepDocument(
                key=step.key,
                target=step.target,
                size_bytes=step.size_bytes,
                kept=step.keeper_key,
                action=results[step.key].action if step.key in results else None,
                error=results[step.key].error if step.key in results else None,
            )
            for step in plan.steps
        ],
        left_alone=[LeftAlone(key=key, reason=reason) for key, reason in plan.left_alone.items()],
        refused=list(plan.refused.values()),
        after=after,
    )


def _member(member: groups.Member, keeper: Keeper | None = None) -> Member:
    return Member(
        sha256=member.sha256.hex(),
        duration_s=member.duration_s,
        media=models.Media.model_validate(media_document(member.media)),
        videos=[
            Copy(
                id=video.id,
                key=video.key,
                bucket=video.bucket,
                size_bytes=video.size_bytes,
                uploaded_at=video.uploaded_at,
                against=keeper.against.get(video.id) if keeper else None,
            )
            for video in member.videos
        ],
    )


def _entry(entry: Entry, keys: Keys) -> DecisionEntry:
    about = entry.about
    stretch = about.start_ms != WHOLE
    return DecisionEntry(
        a=Content(sha256=about.sha256_a.hex(), keys=list(keys.get(about.sha256_a, ()))),
        b=Content(sha256=about.sha256_b.hex(), keys=list(keys.get(about.sha256_b, ()))),
        start_s=about.start_ms / 1000 if stretch else None,
        end_s=about.end_ms / 1000 if stretch else None,
        keep=entry.keep[1] if entry.keep else None,
    )
