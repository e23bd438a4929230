"""What many unrelated videos share is common material; what related ones share is not."""

from __future__ import annotations

from inspector.model import Evidence, Match, Segment, Verdict
from inspector.store.common import Kin, Ruling, Stretch, carry, find_common, find_stretches

INTRO = (0.0, 10.0)
LEAST = 3


def match(*spans: tuple[float, float], verdict: Verdict = Verdict.PARTIAL) -> Match:
    segments = tuple(Segment(start, end, start, end, 0.9) for start, end in spans)
    return Match(segments, 1.0, 0.9, verdict, Evidence())


def test_what_enough_unrelated_videos_share_is_common_to_all_of_them() -> None:
    found = [(other, match(INTRO)) for other in (2, 3, 4)]
    assert find_common(1, found, [], least=LEAST) == {2, 3, 4}
    assert find_common(1, found[:2], [], least=LEAST) == frozenset()


def test_who_shares_more_than_the_common_part_is_a_partial_copy() -> None:
    found = [
        (2, match(INTRO, (50.0, 80.0))),
        (3, match(INTRO)),
        (4, match((0.4, 9.7))),
        (5, match((0.0, 30.0))),
    ]
    assert find_common(1, found, [], least=LEAST) == {3, 4}


def test_different_stretches_add_up_to_nothing() -> None:
    found = [(other, match((10.0 * other, 10.0 * other + 8))) for other in range(2, 9)]
    assert find_common(1, found, [], least=LEAST) == frozenset()


def test_copies_of_one_another_count_once() -> None:
    found = [(other, match(INTRO)) for other in (2, 3, 4)]
    copies = [Kin(3, 4, Verdict.DUPLICATE)]
    assert find_common(1, found, copies, least=LEAST) == frozenset()


def test_clips_of_one_film_are_related_by_the_film() -> None:
    film = (9, match((0.0, 20.0), verdict=Verdict.CONTAINED))
    clips = [(other, match(INTRO)) for other in (2, 3, 4, 5)]
    held = [Kin(9, clip, Verdict.CONTAINED) for clip in (1, 2, 3, 4, 5)]
    assert find_common(1, [film, *clips], held, least=LEAST) == frozenset()


def test_a_jingle_does_not_relate_the_videos_it_is_in() -> None:
    jingle = (9, match(INTRO, verdict=Verdict.CONTAINED))
    episodes = [(other, match(INTRO)) for other in (2, 3, 4)]
    held = [Kin(episode, 9, Verdict.CONTAINED) for episode in (1, 2, 3, 4)]
    assert find_common(1, [jingle, *episodes], held, least=LEAST) == {2, 3, 4}


def test_what_is_contained_whole_is_never_common() -> None:
    found = [(other, match(INTRO, verdict=Verdict.CONTAINED)) for other in range(2, 9)]
    assert find_common(1, found, [], least=LEAST) == frozenset()


def test_what_a_channel_shows_again_and_again_is_not_common_for_that() -> None:
    """Pieces share an advertisement with each other, and with one or three videos that a library holds."""
    pieces = [(other, match(INTRO)) for other in (2, 3, 4, 5)]
    airings = {1, 2, 3, 4, 5}
    library = [(other, match(INTRO)) for other in (12, 13, 14)]
    assert find_common(1, [*pieces, library[0]], [], least=LEAST) == {2, 3, 4, 5, 12}
    assert find_common(1, [*pieces, library[0]], [], least=LEAST, airings=airings) == {2, 3, 4, 5}
    found = find_common(1, [*pieces, *library], [], least=LEAST, airings=airings)
    assert found == {2, 3, 4, 5, 12, 13, 14}


def test_what_a_person_ruled_counts_for_more_than_counting() -> None:
    few = [(2, match(INTRO))]
    assert find_common(1, few, [], least=LEAST, rulings=[Ruling(*INTRO, common=True)]) == {2}
    many = [(other, match(INTRO)) for other in (2, 3, 4)]
    assert find_common(1, many, [], least=LEAST, rulings=[Ruling(*INTRO, common=False)]) == frozenset()
    elsewhere = [Ruling(50.0, 60.0, common=False)]
    assert find_common(1, many, [], least=LEAST, rulings=elsewhere) == {2, 3, 4}


def test_a_ruling_is_carried_along_a_match_to_where_the_stretch_lies_there() -> None:
    half_speed = Match((Segment(30.0, 50.0, 0.0, 10.0, 0.9),), 0.5, 0.9, Verdict.PARTIAL, Evidence())
    (carried,) = carry(Ruling(2.0, 10.0, common=True), half_speed)
    assert carried == Ruling(34.0, 50.0, common=True)
    assert list(carry(Ruling(5.0, 20.0, common=True), half_speed)) == []


def test_a_stretch_is_named_once_with_all_who_share_it() -> None:
    found = [
        (2, match(INTRO)),
        (3, match((0.3, 9.8))),
        (4, match(INTRO, (40.0, 50.0))),
        (5, match((70.0, 80.0))),
    ]
    assert find_stretches(1, found, [], least=LEAST) == [Stretch(*INTRO, frozenset({2, 3, 4}), frozenset())]
    assert find_stretches(1, found, [Kin(2, 3, Verdict.DUPLICATE)], least=LEAST) == []
