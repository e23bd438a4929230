"""What many unrelated videos share is common material; what related ones share is not."""

from __future__ import annotations

from inspector.model import Evidence, Match, Segment, Verdict
from inspector.store.common import Kin, find_common

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
