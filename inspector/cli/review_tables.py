"""What `inspector review` shows to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from inspector.cli.tables import harmless, make_console, make_table, name_cell
from inspector.model import Decision
from inspector.review import Keeper
from inspector.review.actions import ActionKind, Plan
from inspector.store.actions import Action, ActionState, Done
from inspector.store.decisions import WHOLE, Made
from inspector.store.groups import GroupView, Member, PairView
from inspector.store.reviews import CommonStretch, GroupDetails, ReviewProgress

_MOST_NAMES: Final = 3  # in one cell
_LOUD: Final = {ActionState.STARTED, ActionState.UNDOING, ActionState.FAILED}


def show_groups(groups: Sequence[tuple[GroupView, Keeper]], progress: ReviewProgress) -> None:
    console = make_console()
    if not groups:
        console.print("Nothing to decide." if progress.groups else "No duplicates yet.")
    else:
        table = make_table("group", "score", "keep", "because", "others")
        for group, keeper in groups:
            others = [copy.key for copy in group.copies() if copy.video_id != keeper.copy.video_id]
            score, keep = f"{group.score:.2f}", name_cell(keeper.copy.key)
            table.add_row(_at(group.id, group.revision), score, keep, _plain(keeper.reason), _names(others))
        console.print(table)
    if progress.groups:
        console.print(f"\n{progress.decided} of {progress.groups} groups are decided.")


def show_group(details: GroupDetails) -> None:
    """A group with its copies, its pairs, and what lies beside it."""
    console, group, keeper = make_console(), details.group, details.keeper
    state = "undecided" if group.undecided else "decided"
    console.print(f"{_at(group.id, group.revision)}  score {group.score:.2f}  {state}\n")
    table = make_table("video", "picture", "length", "bit rate", "codec", "")
    for copy in group.copies():
        kept = copy.video_id == keeper.copy.video_id
        said = "keep" if kept else keeper.against[copy.video_id]
        picture, rate = f"{copy.media.width}×{copy.media.height}", f"{copy.bit_rate_bps / 1000:.0f} kbit/s"
        length, codec = f"{copy.duration_s:.2f} s", copy.media.video_codec
        table.add_row(name_cell(copy.key), picture, length, rate, _plain(codec), _plain(said))
    console.print(table)
    if details.pairs:
        console.print()
        show_pairs(details.pairs)
    if details.relations:
        console.print("\nBeside it:")
        show_pairs(details.relations)


def show_pairs(pairs: Sequence[PairView]) -> None:
    """One row for each matched segment."""
    console = make_console()
    if not pairs:
        console.print("Nothing to decide.")
        return
    table = make_table("pair", "verdict", "score", "video", "from", "to", "lies in", "from", "to", "decided")
    for pair in pairs:
        for number, s in enumerate(pair.match.segments):
            head = (_at(pair.id, pair.revision), pair.match.verdict.value, f"{pair.match.score:.2f}")
            here, there = _span(s.a_start_s, s.a_end_s), _span(s.b_start_s, s.b_end_s)
            decided = _said(pair.decision) if pair.decision else ""
            row = head if number == 0 else ("", "", "")
            table.add_row(*row, _of(pair.a), *here, _of(pair.b), *there, decided)
    console.print(table)


def show_common(stretches: Sequence[CommonStretch]) -> None:
    console = make_console()
    if not stretches:
        console.print("Nothing is shared by many unrelated videos.")
        return
    table = make_table("stretch", "shared by", "for instance in", "from", "to", "treated as")
    for s in stretches:
        span = _span(s.id.start_ms / 1000, s.id.end_ms / 1000)
        ruling = _said(s.ruling or Decision.COMMON)
        table.add_row(_at(s.id, s.revision), str(s.shared_by + 1), _of(s.member), *span, ruling)
    console.print(table)


def show_decisions(made: Sequence[Made], keys: dict[bytes, tuple[str, ...]]) -> None:
    console = make_console()
    if not made:
        console.print("Nothing was decided yet.")
        return
    table = make_table("decision", "of", "is", "videos", "kept", "by", "when", "")
    for each in made:
        kept = next((entry.keep[1] for entry in each.entries if entry.keep), "")
        is_ = "undone: " + ", ".join(f"d{n}" for n in each.undoes) if each.undoes else _said(each.kind)
        remark = f"undone by d{each.undone}" if each.undone else each.note or ""
        names = _names(_names_of(each, keys))
        when = f"{each.made_at:%F %T}"
        row = (f"d{each.number}", _plain(each.subject), is_, names, name_cell(kept), name_cell(each.actor))
        table.add_row(*row, when, _plain(remark))
    console.print(table)


def show_plan(plan: Plan, *, undoable: bool, unfinished: int) -> None:
    """What would be done, what is left alone, and why."""
    console = make_console()
    table = make_table("object", "would be", "kept")
    for step in plan.steps:
        table.add_row(name_cell(step.key), _would_be(step.kind, step.target), name_cell(step.keeper_key))
    if plan.steps:
        console.print(table)
    for key, why in plan.left_alone.items():
        console.print(Text(f"left alone: {harmless(key)}: {why}"))
    for why in plan.refused.values():
        console.print(Text(f"left alone: {harmless(why)}"))
    if unfinished:
        console.print(
            f"{unfinished} objects are in work, or a process died over them: --resume finishes that."
        )
    if not plan.steps:
        console.print("Nothing to do: decide first, with `inspector review decide … --as duplicate`.")
    elif undoable:
        console.print("\nNothing was done yet: --yes does it. It can be undone.")
    else:
        console.print("\nNothing was done yet. The bucket keeps no versions: --yes --force deletes for good.")


def show_done(done: Sequence[Done]) -> None:
    console = make_console()
    if not done:
        console.print("There was nothing to do.")
        return
    table = make_table("action", "object", "")
    for each in done:
        number = "" if each.action is None else f"a{each.action.id}"
        said = Text(f"left alone: {harmless(each.error)}", style="red") if each.error else _state(each.action)
        table.add_row(number, name_cell(each.key), said)
    console.print(table)


def show_actions(actions: Sequence[Action]) -> None:
    console = make_console()
    if not actions:
        console.print("Nothing was done to any object yet.")
        return
    table = make_table("action", "object", "is", "to", "kept", "decision", "by", "when", "")
    for a in actions:
        target = name_cell(a.step.target or "")
        row = (f"a{a.id}", name_cell(a.step.key), _state(a), target, name_cell(a.step.keeper_key))
        when = f"{a.started_at:%F %T}"
        table.add_row(*row, f"d{a.decision}", name_cell(a.actor), when, _plain(a.error or ""))
    console.print(table)


def _state(action: Action | None) -> Text:
    """What has become of the object."""
    if action is None:
        return Text()
    if action.state is ActionState.DONE:
        return Text(_would_be(action.step.kind, None).plain)
    said = f"{action.step.kind}: {action.state}"
    return Text(said, style="red" if action.state in _LOUD else "")


def _would_be(kind: ActionKind, target: str | None) -> Text:
    past = {ActionKind.TAG: "tagged", ActionKind.MOVE: "moved", ActionKind.DELETE: "deleted"}[kind]
    return Text(past if target is None else f"{past} to {harmless(target)}")


def _names_of(made: Made, keys: dict[bytes, tuple[str, ...]]) -> list[str]:
    """The videos of a decision; a content that has none is called by its sha256."""
    named: dict[str, None] = {}
    for entry in made.entries:
        span = ""
        if entry.about.start_ms != WHOLE:
            span = f" {entry.about.start_ms / 1000:.2f}–{entry.about.end_ms / 1000:.2f}"
        for sha256 in (entry.about.sha256_a, entry.about.sha256_b):
            for name in keys.get(sha256, (f"{sha256.hex()[:12]}…",)):
                named[name + span] = None
    return list(named)


def _of(member: Member) -> Text:
    return _names([video.key for video in member.videos])


def _names(names: Sequence[str]) -> Text:
    shown = ", ".join(map(harmless, names[:_MOST_NAMES]))
    more = len(names) - _MOST_NAMES
    return Text(f"{shown} and {more} more" if more > 0 else shown)


def _at(subject: object, revision: int) -> str:
    """As commands take it: with the revision, so that a decision on something else is refused."""
    return f"{subject}@{revision}"


def _said(decision: Decision) -> str:
    return decision.value.replace("_", "-")


def _plain(text: str) -> Text:
    return Text(harmless(text))


def _span(start_s: float, end_s: float) -> tuple[str, str]:
    return f"{start_s:.2f}", f"{end_s:.2f}"
