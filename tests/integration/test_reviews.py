"""Groups, decisions and what is common, in a real database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from inspector.errors import DecisionOutdated, DecisionRefused, UnknownSubject
from inspector.model import Decision, Verdict
from inspector.review import GroupId, PairId, StretchId
from inspector.store import Database
from inspector.store.judgements import Judgement, Report
from inspector.store.status import StatusReader
from tests.shelf import BUCKET, Shelf, empty

ANN = "ann"


@pytest.fixture
def database(shared_database: Database) -> Database:
    empty(shared_database)
    return shared_database


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def only_group(shelf: Shelf) -> Judgement:
    """The one undecided group, as it is shown now; to be judged."""
    (group,) = shelf.reviews.groups().items
    return Judgement(group.id, Decision.DUPLICATE, group.revision)


def decide(shelf: Shelf, kind: Decision, *, keep: str | None = None) -> int:
    """Decide the one undecided group. Returns the decision's number."""
    shown = only_group(shelf)
    report = shelf.reviews.decide([Judgement(shown.subject, kind, shown.revision, keep)], actor=ANN)
    return saved(report)


def saved(report: Report) -> int:
    assert report.saved, report
    (outcome,) = report.outcomes
    assert outcome.number is not None
    return outcome.number


def pair_of(shelf: Shelf, one: str, other: str) -> PairId:
    return PairId(shelf.content_id(one), shelf.content_id(other))


# ---------------------------------------------------------------- groups


def test_a_chain_of_duplicates_is_one_group_for_each_pair_that_matches(shelf: Shelf) -> None:
    shelf.films("a", "b", "c")
    shelf.match("a", "b", score=0.9)
    shelf.match("b", "c", score=0.8)
    assert shelf.groups() == [{"a.mp4", "b.mp4"}, {"b.mp4", "c.mp4"}]


def test_a_group_grows_shrinks_and_goes_as_videos_come_and_go_and_keeps_its_number(shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b")
    first = only_group(shelf)
    shelf.films("c")
    shelf.alike("a", "b", "c")
    grown = only_group(shelf)
    assert grown.subject == first.subject
    assert (grown.revision or 0) > (first.revision or 0)
    assert shelf.groups() == [{"a.mp4", "b.mp4", "c.mp4"}]
    shelf.remove("b.mp4")
    assert shelf.groups() == [{"a.mp4", "c.mp4"}]
    shelf.remove("c.mp4")
    assert shelf.groups() == []
    shelf.put("again/b.mp4", "b")
    assert shelf.groups() == [{"a.mp4", "again/b.mp4"}]


def test_copies_of_the_same_bytes_are_a_group_without_any_match(shelf: Shelf) -> None:
    shelf.put("x.mp4", "a")
    shelf.put("y.mp4", "a")
    assert shelf.groups() == [{"x.mp4", "y.mp4"}]
    shelf.films("b")
    shelf.alike("a", "b")
    assert shelf.groups() == [{"x.mp4", "y.mp4", "b.mp4"}]


def test_a_part_stands_beside_the_group_with_its_seconds_and_does_not_join_it(shelf: Shelf) -> None:
    shelf.films("a", "b", "clip")
    shelf.alike("a", "b")
    shelf.match("a", "clip", Verdict.CONTAINED, span=(20, 40, 0, 20))
    details = shelf.reviews.group(shelf.reviews.groups().items[0].id)
    assert shelf.groups() == [{"a.mp4", "b.mp4"}]
    (relation,) = details.relations
    match = relation.match if relation.a.videos[0].key == "a.mp4" else relation.match.flipped()
    assert (match.verdict, match.segments[0].a_start_s) == (Verdict.CONTAINED, 20)
    assert [pair.decision for pair in details.pairs] == [None]


def test_pages_follow_each_other_without_a_gap_the_surest_first(shelf: Shelf) -> None:
    for n in range(7):
        shelf.films(f"a{n}", f"b{n}")
        shelf.alike(f"a{n}", f"b{n}", score=(0.9, 0.9, 0.7)[n % 3])
    seen, after = [], None
    while True:
        page = shelf.reviews.groups(after=after, limit=2)
        seen += [group.score for group in page.items]
        after = page.after
        if after is None:
            break
    assert seen == [0.9] * 5 + [0.7] * 2
    with pytest.raises(UnknownSubject):
        shelf.reviews.groups(after="nonsense")


def test_matches_that_a_stricter_setting_hides_are_in_no_group_any_more(
    shelf: Shelf, database: Database
) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b", score=0.6)
    assert shelf.groups() == [{"a.mp4", "b.mp4"}]
    stricter = Shelf(database)
    stricter.reviews = type(shelf.reviews)(database, min_score=0.7, common_from=3, keeper_rules=("path",))
    assert stricter.groups() == []


def test_the_order_in_which_matches_are_found_changes_no_group(shelf: Shelf, database: Database) -> None:
    pairs = [("a", "b", 0.9), ("b", "c", 0.8), ("c", "d", 0.95), ("a", "c", 0.7)]
    shelf.films("a", "b", "c", "d")
    for one, other, score in pairs:
        shelf.match(one, other, score=score)
        shelf.groups()  # a look between takes in one change at a time
    step_by_step = shelf.groups()
    with database.begin() as tx:
        tx.execute(text("TRUNCATE groups, group_members, groupings, stale_groups, matches CASCADE"))
    for one, other, score in reversed(pairs):
        shelf.match(one, other, score=score)
    assert shelf.groups() == step_by_step == [{"c.mp4", "d.mp4"}, {"a.mp4", "b.mp4", "c.mp4"}]


# ---------------------------------------------------------------- decisions


def test_a_decided_group_leaves_the_queue_and_comes_back_when_it_is_undone(shelf: Shelf) -> None:
    shelf.films("a", "b", "c")
    shelf.alike("a", "b", "c")
    number = decide(shelf, Decision.DUPLICATE, keep="b.mp4")
    assert shelf.groups(undecided=True) == []
    assert shelf.groups(undecided=False) == [{"a.mp4", "b.mp4", "c.mp4"}]
    assert (shelf.reviews.progress().groups, shelf.reviews.progress().decided) == (1, 1)
    (made,) = shelf.reviews.decisions()
    assert (made.number, made.actor, made.kind, len(made.entries)) == (number, ANN, Decision.DUPLICATE, 3)
    assert shelf.reviews.undo([number], actor="bob").saved
    assert shelf.groups(undecided=True) == [{"a.mp4", "b.mp4", "c.mp4"}]
    undoing, made = shelf.reviews.decisions()
    assert (undoing.kind, undoing.actor, undoing.undoes, made.undone) == (
        Decision.UNDO,
        "bob",
        (number,),
        undoing.number,
    )


def test_a_pair_that_is_no_match_leaves_group_and_status_until_it_is_undone(
    shelf: Shelf, database: Database
) -> None:
    shelf.films("a", "b", "c")
    shelf.alike("a", "b", "c")
    pair = pair_of(shelf, "a", "b")
    number = saved(shelf.reviews.decide([Judgement(pair, Decision.NOT_A_MATCH)], actor=ANN))
    reader = StatusReader(database, min_score=0.5)
    status = reader.by_key(BUCKET, "a.mp4")
    assert status is not None
    assert [each.key for each in status.duplicates] == ["c.mp4"]
    assert [(each.key, each.decision) for each in status.dismissed] == [("b.mp4", Decision.NOT_A_MATCH)]
    assert sorted(map(sorted, shelf.groups())) == [["a.mp4", "c.mp4"], ["b.mp4", "c.mp4"]]
    assert shelf.reviews.undo([number], actor=ANN).saved
    again = reader.by_key(BUCKET, "a.mp4")
    assert again is not None
    assert again.revision > status.revision
    assert {each.key for each in again.duplicates} == {"b.mp4", "c.mp4"}
    assert shelf.groups() == [{"a.mp4", "b.mp4", "c.mp4"}]


def test_decisions_hold_for_the_same_bytes_under_other_names_and_after_another_inspection(
    shelf: Shelf,
) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b")
    decide(shelf, Decision.SAME_SOURCE)
    shelf.remove("a.mp4")
    shelf.put("renamed/a.mp4", "a")
    shelf.match("a", "b", score=0.95)
    assert shelf.groups(undecided=True) == []
    assert shelf.groups(undecided=False) == [{"renamed/a.mp4", "b.mp4"}]


def test_a_newcomer_opens_a_decided_group_again(shelf: Shelf) -> None:
    shelf.films("a", "b", "c")
    shelf.alike("a", "b")
    decide(shelf, Decision.DUPLICATE, keep="a.mp4")
    shelf.alike("a", "b", "c")
    assert shelf.groups(undecided=True) == [{"a.mp4", "b.mp4", "c.mp4"}]


def test_a_decision_on_what_has_changed_is_refused_and_says_what(shelf: Shelf) -> None:
    shelf.films("a", "b", "c")
    shelf.alike("a", "b")
    shown = only_group(shelf)
    shelf.alike("a", "b", "c")
    report = shelf.reviews.decide([shown], actor=ANN)
    (outcome,) = report.outcomes
    assert isinstance(outcome.error, DecisionOutdated)
    assert not outcome.error.retry
    assert "joined: c.mp4" in outcome.error.changes
    assert shelf.reviews.decisions() == []


@pytest.mark.parametrize("change", ["rematched", "removed", "decided", "copied"])
def test_every_change_of_a_group_makes_earlier_looks_outdated(shelf: Shelf, change: str) -> None:
    shelf.films("a", "b", "c")
    shelf.alike("a", "b", "c")
    shown = only_group(shelf)
    said = {
        "rematched": "matches otherwise: duplicate, 0.60",
        "removed": "left: a removed video",
        "decided": "bob decided",
        "copied": "other files hold these videos now",
    }[change]
    match change:
        case "rematched":
            shelf.match("a", "b", score=0.6)
        case "removed":
            shelf.remove("c.mp4")
        case "decided":
            pair = pair_of(shelf, "a", "b")
            shelf.reviews.decide([Judgement(pair, Decision.SAME_SOURCE)], actor="bob")
        case _:
            shelf.put("second/a.mp4", "a")
    (outcome,) = shelf.reviews.decide([shown], actor=ANN).outcomes
    assert isinstance(outcome.error, DecisionOutdated)
    assert any(said in change for change in outcome.error.changes), outcome.error


def test_a_pair_decided_by_somebody_else_meanwhile_is_refused(shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.match("a", "b", Verdict.PARTIAL)
    pair = shelf.reviews.pair(pair_of(shelf, "b", "a"))
    judgement = Judgement(pair.id, Decision.SAME_SOURCE, pair.revision)
    assert shelf.reviews.decide([judgement], actor="bob").saved
    (outcome,) = shelf.reviews.decide([judgement], actor=ANN).outcomes
    assert isinstance(outcome.error, DecisionOutdated)
    assert "bob decided" in outcome.error.changes[0]


def test_of_many_decisions_all_are_saved_or_none(shelf: Shelf) -> None:
    for n in range(3):
        shelf.films(f"a{n}", f"b{n}")
        shelf.alike(f"a{n}", f"b{n}")
    shown = [Judgement(g.id, Decision.SAME_SOURCE, g.revision) for g in shelf.reviews.groups().items]
    unknown = Judgement(GroupId(999), Decision.SAME_SOURCE)
    report = shelf.reviews.decide([*shown, unknown], actor=ANN)
    assert not report.saved
    assert [type(outcome.error) for outcome in report.outcomes] == [type(None)] * 3 + [UnknownSubject]
    assert shelf.reviews.decisions() == []
    report = shelf.reviews.decide(shown, actor=ANN)
    assert report.saved
    numbers = [outcome.number or 0 for outcome in report.outcomes]
    assert shelf.groups(undecided=True) == []
    refused = shelf.reviews.undo([*numbers, 999_999], actor=ANN)
    assert not refused.saved
    assert shelf.groups(undecided=True) == []
    assert shelf.reviews.undo(numbers, actor=ANN).saved
    assert len(shelf.groups(undecided=True)) == 3


def test_what_contradicts_itself_or_makes_no_sense_is_refused(shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b")
    group = only_group(shelf).subject
    pair = pair_of(shelf, "a", "b")
    for judgements in (
        [Judgement(group, Decision.DUPLICATE, keep="a.mp4"), Judgement(pair, Decision.NOT_A_MATCH)],
        [Judgement(group, Decision.DUPLICATE, keep="elsewhere.mp4")],
        [Judgement(group, Decision.NOT_COMMON)],
        [Judgement(group, Decision.UNDO)],
        [Judgement(group, Decision.SAME_SOURCE, keep="a.mp4")],
    ):
        assert isinstance(shelf.reviews.decide(judgements, actor=ANN).outcomes[-1].error, DecisionRefused), (
            judgements
        )
    shelf.remove("b.mp4")
    shelf.put("copy.mp4", "a")
    (outcome,) = shelf.reviews.decide(
        [Judgement(only_group(shelf).subject, Decision.NOT_A_MATCH)], actor=ANN
    ).outcomes
    assert isinstance(outcome.error, DecisionRefused)


def test_an_undoing_brings_back_what_was_decided_before_and_only_the_last_can_be_undone(
    shelf: Shelf,
) -> None:
    shelf.films("a", "b")
    shelf.match("a", "b", Verdict.PARTIAL)
    pair = pair_of(shelf, "a", "b")
    first = saved(shelf.reviews.decide([Judgement(pair, Decision.SAME_SOURCE)], actor=ANN))
    second = saved(shelf.reviews.decide([Judgement(pair, Decision.NOT_A_MATCH)], actor="bob"))
    (outcome,) = shelf.reviews.undo([first], actor=ANN).outcomes
    assert isinstance(outcome.error, DecisionOutdated)
    assert shelf.reviews.undo([second], actor=ANN).saved
    assert shelf.reviews.pair(pair).decision is Decision.SAME_SOURCE
    (outcome,) = shelf.reviews.undo([second], actor=ANN).outcomes
    assert isinstance(outcome.error, DecisionRefused)
    assert shelf.reviews.undo([first], actor=ANN).saved
    assert shelf.reviews.pair(pair).decision is None


def test_the_same_decision_again_is_no_entry_of_the_history(shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b")
    pair = pair_of(shelf, "a", "b")
    said = Judgement(pair, Decision.DUPLICATE, keep="a.mp4")
    saved(shelf.reviews.decide([said], actor=ANN))
    report = shelf.reviews.decide([said], actor=ANN)
    assert report.saved
    assert report.outcomes[0].number is None
    assert len(shelf.reviews.decisions()) == 1


# ---------------------------------------------------------------- pairs and common material


def test_undecided_parts_are_a_queue_of_their_own(shelf: Shelf) -> None:
    shelf.films("a", "clip1", "clip2")
    shelf.match("a", "clip1", Verdict.CONTAINED, score=0.8)
    shelf.match("a", "clip2", Verdict.CONTAINED, score=0.9)
    page = shelf.reviews.pairs(Verdict.CONTAINED, limit=1)
    assert [pair.match.score for pair in page.items] == [0.9]
    assert shelf.reviews.decide([Judgement(page.items[0].id, Decision.SAME_SOURCE)], actor=ANN).saved
    rest = shelf.reviews.pairs(Verdict.CONTAINED)
    assert [pair.match.score for pair in rest.items] == [0.8]
    assert len(shelf.reviews.pairs(Verdict.CONTAINED, undecided=None).items) == 2


@pytest.fixture
def series(shelf: Shelf) -> Shelf:
    """Five episodes that share ten seconds; the third begins with something else."""
    names = [f"e{n}" for n in range(5)]
    shelf.films(*names)
    for n, one in enumerate(names):
        for m, other in enumerate(names[n + 1 :], n + 1):
            here, there = (30.0 if k == 2 else 0.0 for k in (n, m))
            shelf.match(one, other, Verdict.PARTIAL, span=(here, here + 10, there, there + 10))
    return shelf


def common_of(shelf: Shelf, key: str) -> int:
    status = StatusReader(shelf.db, min_score=0.5, common_from=3).by_key(BUCKET, key)
    assert status is not None
    return len(status.common)


def test_a_common_stretch_is_listed_once_and_its_pairs_are_in_no_queue(series: Shelf) -> None:
    (stretch,) = series.reviews.common().items
    assert (stretch.id, stretch.shared_by) == (StretchId(series.content_id("e0"), 0, 10_000), 4)
    assert series.reviews.pairs(Verdict.PARTIAL).items == ()
    series.remove("e0.mp4")
    (stretch,) = series.reviews.common().items
    assert (stretch.id.content_id, stretch.shared_by) == (series.content_id("e1"), 3)


def test_a_stretch_that_is_said_not_to_be_common_is_not_wherever_it_occurs(series: Shelf) -> None:
    (stretch,) = series.reviews.common().items
    number = saved(
        series.reviews.decide([Judgement(stretch.id, Decision.NOT_COMMON, stretch.revision)], actor=ANN)
    )
    assert [common_of(series, f"e{n}.mp4") for n in range(5)] == [0] * 5
    assert len(series.reviews.pairs(Verdict.PARTIAL).items) == 10
    assert series.reviews.common().items[0].ruling is Decision.NOT_COMMON
    (outcome,) = series.reviews.decide(
        [Judgement(stretch.id, Decision.COMMON, stretch.revision)], actor="bob"
    ).outcomes
    assert isinstance(outcome.error, DecisionOutdated)
    assert series.reviews.undo([number], actor=ANN).saved
    assert [common_of(series, f"e{n}.mp4") for n in range(5)] == [4] * 5


def test_a_stretch_may_be_said_to_be_common_though_few_share_it(shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.match("a", "b", Verdict.PARTIAL, span=(50, 60, 5, 15))
    ruled = StretchId(shelf.content_id("a"), 50_000, 60_000)
    saved(shelf.reviews.decide([Judgement(ruled, Decision.COMMON)], actor=ANN))
    assert (common_of(shelf, "a.mp4"), common_of(shelf, "b.mp4")) == (1, 1)
    beyond = StretchId(shelf.content_id("a"), 50_000, 600_000)
    (outcome,) = shelf.reviews.decide([Judgement(beyond, Decision.COMMON)], actor=ANN).outcomes
    assert isinstance(outcome.error, UnknownSubject)


def test_a_pair_may_be_said_to_share_common_material_only(shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.match("a", "b", Verdict.PARTIAL, span=(50, 60, 5, 15))
    saved(shelf.reviews.decide([Judgement(pair_of(shelf, "a", "b"), Decision.COMMON)], actor=ANN))
    status = StatusReader(shelf.db, min_score=0.5).by_key(BUCKET, "a.mp4")
    assert status is not None
    assert ([each.verdict for each in status.common], status.duplicates) == ([Verdict.COMMON], ())


def test_common_material_of_a_video_and_its_copies_is_listed_once(shelf: Shelf) -> None:
    shelf.films("film", "copy", "e1", "e2", "e3")
    shelf.match("film", "copy")
    for n, one in enumerate(("film", "copy", "e1", "e2", "e3")):
        for other in ("e1", "e2", "e3")[max(n - 1, 0) :]:
            shelf.match(one, other, Verdict.PARTIAL, span=(0, 10, 0, 10))
    (stretch,) = shelf.reviews.common().items
    assert (stretch.id, stretch.shared_by) == (StretchId(shelf.content_id("film"), 0, 10_000), 4)
