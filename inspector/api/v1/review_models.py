"""What the API says and takes about reviewing: groups, pairs, decisions and actions, as types.

Ids are those of `inspector review`: `g12` a group, `p3-17` a pair, `s3@0-9960` a stretch, `d346` a decision,
`a7` an action. A revision says what was looked at.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from inspector.api.v1.models import MAX_ID, Asked, MatchEvidence, MatchSegment, Media, PageQuery, Said, Text
from inspector.model import Decision, Verdict
from inspector.review.actions import ActionKind
from inspector.store.actions import ActionState

MOST_DECIDED = 500  # at once
MOST_ACTED_ON = 100

_GROUP = r"^g[0-9]{1,18}$"
_PAIR = r"^p[0-9]{1,18}-[0-9]{1,18}$"
_SUBJECT = r"^(g[0-9]{1,18}|p[0-9]{1,18}-[0-9]{1,18}|s[0-9]{1,18}@[0-9]{1,9}-[0-9]{1,9})$"
_DECISION = r"^d[0-9]{1,18}$"
_ACTION = r"^a[0-9]{1,18}$"


# ---------------------------------------------------------------- groups and pairs


class Copy(Said):
    """A video of these bytes. against: why the suggested one is better; null if it is this one."""

    id: int
    key: str
    bucket: str
    size_bytes: int
    uploaded_at: datetime
    against: str | None = None


class Member(Said):
    """A content, with the videos that hold it now."""

    sha256: str
    duration_s: float
    media: Media
    videos: list[Copy]


class Suggestion(Said):
    """Which copy is worth keeping by `INSPECTOR_KEEPER_RULES`, and why."""

    id: int
    key: str
    reason: str


class SelfLink(Said):
    self: str


class Group(Said):
    """Videos of which every two are duplicates. score: of the pair that is least sure."""

    id: str
    revision: int
    score: float
    decided: bool
    keep: Suggestion
    members: list[Member]
    links: SelfLink


class GroupPage(Said):
    """progress: how many groups there are, and how many of them are decided."""

    groups: list[Group]
    total: int
    total_decided: int
    next: str | None


class Groups(Said):
    groups: list[Group]


class Pair(Said):
    """Two contents that share material; segments are seen from `a`. decision: what a person said of them."""

    id: str
    revision: int
    verdict: Verdict
    score: float
    speed: float
    decision: Decision | None
    a: Member
    b: Member
    segments: list[MatchSegment]
    evidence: MatchEvidence
    links: SelfLink


class PairPage(Said):
    """A page may hold fewer than `limit` though another follows."""

    pairs: list[Pair]
    next: str | None


class GroupDetails(Group):
    """pairs: every two of the group match directly, and so.  relations: what members share with others.

    Relations are parts, and duplicates of some members only: chains, which make no group.
    """

    pairs: list[Pair]
    relations: list[Pair]


class Stretch(Said):
    """What many unrelated videos share, once. example: one that has it, from start_s to end_s.

    ruling: what a person said of it, `common` or `not_common`; null: it is common by number alone.
    """

    id: str
    revision: int
    start_s: float
    end_s: float
    shared_by: int
    ruling: Decision | None
    example: Member


class StretchPage(Said):
    stretches: list[Stretch]
    next: str | None


class GroupPath(Asked):
    group_id: Annotated[str, Field(pattern=_GROUP, description="`id` of a group.")]


class PairPath(Asked):
    pair_id: Annotated[str, Field(pattern=_PAIR, description="`id` of a pair.")]


class GroupsQuery(PageQuery):
    decided: Annotated[bool | None, Field(description="Only groups that are decided, or are not.")] = None


class PairsQuery(PageQuery):
    verdict: Annotated[
        Literal["duplicate", "contained", "partial"], Field(description="Only pairs of this verdict.")
    ]
    decided: Annotated[bool | None, Field(description="Only pairs that are decided, or are not.")] = None


# ---------------------------------------------------------------- decisions


class Content(Said):
    """keys: under which these bytes lie now."""

    sha256: str
    keys: list[str]


class DecisionEntry(Said):
    """What a decision says of two contents; of copies of one; or of a stretch, then from start_s to end_s."""

    a: Content
    b: Content
    start_s: float | None
    end_s: float | None
    keep: str | None


class MadeDecision(Said):
    """made_on: the revision that was looked at.  undone_by: the undoing.  undoes: what this takes back."""

    id: str
    kind: Decision
    subject: str
    made_on: int | None
    by: str
    at: datetime
    note: str | None
    undone_by: str | None
    undoes: list[str]
    entries: list[DecisionEntry]


class DecisionPage(Said):
    decisions: list[MadeDecision]
    next: str | None


class Outcome(Said):
    """What came of one of several. decision: null if it was said before.  changes: since the revision."""

    subject: str
    decision: str | None = None
    error: str | None = None
    changes: list[str] = Field(default_factory=list)


class Decided(Said):
    outcomes: list[Outcome]


class DecisionBody(Asked):
    """What a person says of a group, a pair or a stretch."""

    subject: Annotated[str, Field(pattern=_SUBJECT, description="A group, a pair or a stretch.")]
    revision: Annotated[
        int | None, Field(ge=0, le=MAX_ID, description="What was looked at. None: it is as it is now.")
    ] = None
    kind: Literal["duplicate", "not_a_match", "same_source", "common", "not_common"]
    keep: Annotated[
        Text | None, Field(description="Of duplicates: the key to keep. None: nothing may go by this.")
    ] = None
    note: Annotated[Text | None, Field(description="Why, for whoever reads the history.")] = None


class DecisionsBody(Asked):
    """All of them are remembered, or none."""

    decisions: Annotated[list[DecisionBody], Field(min_length=1, max_length=MOST_DECIDED)]


class UndoBody(Asked):
    """All of them are taken back, or none."""

    ids: Annotated[
        list[Annotated[str, Field(pattern=_DECISION)]], Field(min_length=1, max_length=MOST_DECIDED)
    ]
    note: Annotated[Text | None, Field(description="Why, for whoever reads the history.")] = None


# ---------------------------------------------------------------- actions


class ActionDocument(Said):
    """Something done to an object, written down before and after. kept: the copy it goes for."""

    id: str
    kind: ActionKind
    state: ActionState
    key: str
    target: str | None
    kept: str
    decision: str
    by: str
    started_at: datetime
    finished_at: datetime | None
    undone_by: str | None
    error: str | None


class ActionPage(Said):
    actions: list[ActionDocument]
    next: str | None


class StepDocument(Said):
    """One object. action: what was done to it.  error: why nothing was, or why it failed."""

    key: str
    target: str | None
    size_bytes: int
    kept: str
    action: ActionDocument | None = None
    error: str | None = None


class LeftAlone(Said):
    key: str
    reason: str


class PlanDocument(Said):
    """What would be done, or was. undoable: whether it can be undone in this bucket.  total: of all pages.

    left_alone: what decisions condemn and nobody touches.  refused: why decisions condemn nothing.
    after: send it to go on; null: this was all.
    """

    kind: ActionKind
    carried_out: bool
    undoable: bool
    total: int
    steps: list[StepDocument]
    left_alone: list[LeftAlone]
    refused: list[str]
    after: str | None


class ActionResult(Said):
    key: str
    action: ActionDocument | None
    error: str | None


class ActionResults(Said):
    results: list[ActionResult]


class ActionsBody(Asked):
    """What to do to the copies that are not kept. Nothing is done unless `carry_out` says so."""

    kind: ActionKind
    prefix: Annotated[Text | None, Field(min_length=1, description="Where `move` puts them.")] = None
    decisions: Annotated[
        list[Annotated[str, Field(pattern=_DECISION)]] | None,
        Field(min_length=1, max_length=MOST_DECIDED, description="By these only. None: by all in force."),
    ] = None
    carry_out: Annotated[bool, Field(description="Do it; else it is only shown.")] = False
    force: Annotated[bool, Field(description="Delete also where the bucket keeps no versions.")] = False
    limit: Annotated[int, Field(ge=1, le=MOST_ACTED_ON, description="The most objects of one request.")] = 50
    after: Annotated[Text | None, Field(description="Go on behind this key: found in the answer.")] = None


class ActionUndoBody(Asked):
    ids: Annotated[
        list[Annotated[str, Field(pattern=_ACTION)]], Field(min_length=1, max_length=MOST_ACTED_ON)
    ]
