"""An index of landmarks finds the contents worth comparing, and few others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.index.films import glue
from inspector.matching import find_candidates, make_landmarks, query_landmarks
from inspector.matching.candidates import FEW
from inspector.matching.hashes import VARIANTS, vary
from inspector.matching.landmarks import HANDFUL
from inspector.matching.tokens import KIND_SHIFT, Kind
from inspector.model import MOST_CHECKED_BITS, Candidate, Fingerprint, Landmarks, Postings, View
from tests.unit.matching.films import (
    cut_out,
    damaged,
    make_film,
    make_still,
    mirrored,
    mute,
    retimed,
    with_view,
    without_cuts,
)

FILMS = [make_film(seed, 60.0) for seed in range(40)]
INDEX = [make_landmarks(film) for film in FILMS]


def look_up(query: Landmarks) -> Postings:
    """What a database would answer."""
    columns = []
    for content, landmarks in enumerate(INDEX):
        here, there = np.nonzero(query.tokens[:, None] == landmarks.tokens)
        alike = np.bitwise_count(query.checks[here] ^ landmarks.checks[there]) <= MOST_CHECKED_BITS
        here, there = here[alike], there[alike]
        ids = np.full(len(here), content)
        columns.append((query.tokens[here], query.times_ms[here], ids, landmarks.times_ms[there]))
    return Postings(*map(np.concatenate, zip(*columns, strict=True)))


def candidates(query: Fingerprint) -> list[Candidate]:
    return find_candidates(look_up(query_landmarks(query)))


EDITS = {
    "copy": damaged(FILMS[7], 1, bits=2),
    "clip": damaged(cut_out(FILMS[7], 22, 34), 1, bits=2),
    "speed": damaged(retimed(FILMS[7], 1.05), 1, bits=2),
    "mirrored": damaged(mirrored(mute(FILMS[7])), 1, bits=2),
    "missing cuts": without_cuts(damaged(FILMS[7], 1, bits=2), 1, share=0.4),
    "poor pictures": damaged(FILMS[7], 1, bits=24),
    "mute": mute(damaged(FILMS[7], 1, bits=3)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_copy_is_the_first_candidate(edit: str) -> None:
    assert candidates(EDITS[edit])[0].content_id == 7


def test_the_offset_is_reference_minus_query() -> None:
    assert candidates(EDITS["clip"])[0].offset_ms == pytest.approx(22000, abs=1000)


def test_cuts_alone_find_a_copy_although_some_are_missing() -> None:
    thinned = without_cuts(damaged(mute(FILMS[7]), 1, bits=30), 5, share=0.2)
    landmarks = query_landmarks(thinned)
    cuts = landmarks.tokens >> KIND_SHIFT == Kind.CUTS
    found = find_candidates(
        look_up(Landmarks(landmarks.tokens[cuts], landmarks.times_ms[cuts], landmarks.checks[cuts]))
    )
    assert found[0].content_id == 7


def test_few_unrelated_films_are_candidates() -> None:
    strangers = [candidates(make_film(1000 + seed, 60.0)) for seed in range(10)]
    assert sum(map(len, strangers)) <= 40  # of 400 pairs


@pytest.mark.parametrize("duration_s", [5.0, 60.0, 600.0])
@pytest.mark.parametrize("shot_s", [0.3, 4.0, 60.0])
def test_at_most_two_landmarks_a_second_and_a_handful(duration_s: float, shot_s: float) -> None:
    count = len(make_landmarks(make_film(3, duration_s, shot_s=shot_s)).tokens)
    assert count <= 2 * duration_s + 6 * HANDFUL


def test_landmarks_are_the_same_every_time_and_never_double() -> None:
    again = make_landmarks(FILMS[0])
    assert np.array_equal(again.tokens, INDEX[0].tokens)
    assert np.array_equal(again.times_ms, INDEX[0].times_ms)
    rows = np.stack([again.tokens, again.times_ms])
    assert np.unique(rows, axis=1).shape == rows.shape
    assert (again.tokens > 0).all()


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_mirrored_and_turned_pictures_make_the_same_tokens(variant: int) -> None:
    film = without_cuts(mute(FILMS[3]), 1, share=1.0)
    turned = replace(film, frame_hashes=vary(film.frame_hashes, variant))
    assert np.array_equal(make_landmarks(turned).tokens, make_landmarks(film).tokens)


def test_a_query_also_asks_for_its_foremost_frames_with_one_bit_turned_over() -> None:
    film = without_cuts(mute(FILMS[3]), 1, share=1.0)
    wrong = replace(film, frame_hashes=film.frame_hashes ^ np.uint64(1 << 10))
    asked = set(query_landmarks(wrong).tokens.tolist())
    kept = make_landmarks(film).tokens.tolist()
    assert sum(token in asked for token in kept) >= 0.9 * len(kept)


def test_coarse_tokens_are_found_with_two_bits_turned_over() -> None:
    film = without_cuts(mute(FILMS[3]), 1, share=1.0)
    wrong = replace(film, frame_hashes=film.frame_hashes ^ np.uint64(1 << 10 | 1 << 18))
    kept, asked = make_landmarks(film).tokens, query_landmarks(wrong).tokens
    kept = kept[kept >> KIND_SHIFT == Kind.COARSE_FRAME]
    assert np.isin(kept, asked).sum() >= 8


def test_what_is_checked_is_alike_in_copies_and_hardly_ever_in_others() -> None:
    film, other = mute(FILMS[3]), mute(FILMS[4])
    copies = checked_bits(film, damaged(film, 1, bits=2))
    others = checked_bits(film, other, anywhere=True)
    assert np.mean(copies <= MOST_CHECKED_BITS) >= 0.99
    assert np.mean(others <= MOST_CHECKED_BITS) <= 0.05


def checked_bits(film: Fingerprint, other: Fingerprint, *, anywhere: bool = False) -> NDArray[np.integer]:
    """How many checked bits of fine tokens of frames differ, where they are equal, or anywhere."""
    kept, asked = (fine(make_landmarks(film)), fine(query_landmarks(other)))
    i, j = np.nonzero((kept.tokens[:, None] == asked.tokens) | anywhere)
    assert len(i)
    return np.asarray(np.bitwise_count(kept.checks[i] ^ asked.checks[j]))


def fine(landmarks: Landmarks) -> Landmarks:
    """Those of this kind alone."""
    rows = landmarks.tokens >> KIND_SHIFT == Kind.FINE_FRAME
    return Landmarks(landmarks.tokens[rows], landmarks.times_ms[rows], landmarks.checks[rows])


@pytest.mark.parametrize("view", [View.CENTRE, View.INSET])
def test_a_part_of_the_picture_meets_what_it_shows_from_either_side(view: View) -> None:
    shown, frame = mute(make_film(900, 60.0)), without_cuts(mute(FILMS[8]), 1, share=1.0)
    around = with_view(frame, shown, view)
    for kept, asked in ((shown, around), (around, shown)):
        tokens = query_landmarks(asked).tokens
        assert np.isin(make_landmarks(kept).tokens, tokens).sum() >= 5


def test_motion_finds_a_copy_whose_picture_is_beyond_recognition() -> None:
    film = replace(without_cuts(mute(FILMS[3]), 1, share=1.0), motion_hashes=FILMS[4].frame_hashes)
    other = replace(film, frame_hashes=FILMS[5].frame_hashes[: len(film.frame_hashes)])
    kept, asked = make_landmarks(film).tokens, query_landmarks(other).tokens
    assert (np.isin(kept, asked) & (kept >> KIND_SHIFT == Kind.FINE_MOTION)).sum() >= 10


def test_black_and_silence_make_no_landmark() -> None:
    assert make_landmarks(make_still(1, picture=0)).tokens.size == 0


def test_a_still_makes_a_handful_however_long() -> None:
    assert len(make_landmarks(make_still(1, 3600.0, picture=2**40 + 2**9 + 4)).tokens) <= 8


def test_nothing_found_no_candidates() -> None:
    empty = np.zeros(0, np.int64)
    assert find_candidates(Postings(empty, empty, empty, empty)) == []


def postings(*rows: tuple[int, int, int, int]) -> Postings:
    return Postings(*np.array(rows, dtype=np.int64).T)


def test_votes_must_agree_on_the_offset() -> None:
    scattered = postings((1, 0, 5, 1000), (2, 5000, 5, 20000), (3, 9000, 5, 4000))
    aligned = postings((1, 0, 5, 1000), (2, 5000, 5, 6000), (3, 9000, 5, 10100))
    assert find_candidates(scattered) == []
    assert [c.content_id for c in find_candidates(aligned)] == [5]


def test_what_two_contents_agree_on_does_not_depend_on_a_third() -> None:
    pair = [(1, 0, 5, 100), (2, 5000, 5, 6400)]
    for other_ms in range(0, 3000, 50):
        others = [(k, 9000, 6, 9000 - other_ms) for k in (3, 4)]
        assert [c.content_id for c in find_candidates(postings(*pair, *others))] == [5]


def test_one_moment_alone_is_no_candidate() -> None:
    assert find_candidates(postings((1, 0, 5, 1000), (2, 0, 5, 1000), (3, 0, 5, 1000))) == []


def test_rare_tokens_weigh_more() -> None:
    common = [(1, 0, content, 0) for content in range(100, 120)]
    common += [(2, 4000, content, 4000) for content in range(100, 120)]
    found = find_candidates(postings(*common, (3, 0, 7, 0), (4, 4000, 7, 4000)))
    assert found[0].content_id == 7
    assert len(found) == 21


def test_of_many_with_little_in_common_a_few_are_candidates() -> None:
    def shared(times_ms: range, contents: range) -> list[tuple[int, int, int, int]]:
        return [(t, t, content, t) for t in times_ms for content in contents]

    little = shared(range(0, 2000, 1000), range(1000, 1300))
    much = shared(range(5000, 30000, 1000), range(2000, 2100))
    found = [c.content_id for c in find_candidates(postings(*little, *much))]
    assert found == [*range(2000, 2100)]
    assert len(find_candidates(postings(*little))) == FEW


def test_a_picture_that_stands_still_in_both_is_one_coincidence() -> None:
    still = [(1, 1000 * here, 5, 1000 * there) for here in range(8) for there in range(8)]
    moving = [(10 + k, 1000 * k, 6, 1000 * k) for k in range(3)]
    found = find_candidates(postings(*still, *moving))
    assert [c.content_id for c in found] == [6, 5]


def test_any_content_id_will_do_and_ties_are_in_order_of_ids() -> None:
    ids = (2**62, 5, 123456789012)
    found = find_candidates(postings(*((t, 1000 * t, c, 1000 * t) for c in ids for t in (1, 2))))
    assert [c.content_id for c in found] == sorted(ids)


def test_the_order_of_postings_does_not_matter() -> None:
    answer = look_up(query_landmarks(EDITS["copy"]))
    order = np.random.default_rng(0).permutation(len(answer.tokens))
    shuffled = Postings(
        *(getattr(answer, n)[order] for n in ("tokens", "query_times_ms", "content_ids", "times_ms"))
    )
    assert find_candidates(shuffled) == find_candidates(answer)


def test_the_limit_keeps_the_strongest() -> None:
    assert find_candidates(look_up(query_landmarks(EDITS["copy"])), limit=1)[0].content_id == 7


def test_a_quiet_clip_in_the_midst_of_livelier_footage_keeps_its_share() -> None:
    quiet = replace(FILMS[7], frame_novelty=FILMS[7].frame_novelty * np.float32(0.01))
    kept = fine(make_landmarks(glue([FILMS[1], FILMS[2], quiet, FILMS[3], FILMS[4]]))).times_ms
    assert ((kept > 120_000) & (kept < 180_000)).sum() > 0.15 * len(kept)


def test_a_short_query_asks_in_more_depth_than_a_long_one() -> None:
    def a_second(film: Fingerprint) -> float:
        return len(query_landmarks(film).tokens) / film.duration_s

    assert a_second(cut_out(FILMS[7], 0, 30)) > 3 * a_second(make_film(7, 300.0))


@pytest.mark.parametrize(
    ("kind", "short", "long"), [(Kind.FINE_FRAME, 2.0, 1.0), (Kind.FINE_MOTION, 0.9, 0.7)]
)
def test_a_long_query_leaves_out_what_finds_no_copy(kind: Kind, short: float, long: float) -> None:
    """Fine frames with a bit turned over, and fine motion where little is new."""

    def a_frame(film: Fingerprint) -> float:
        tokens = query_landmarks(film).tokens
        return float((tokens >> KIND_SHIFT == kind).sum() / len(film.frame_hashes))

    film = make_film(7, 61.0)
    moving = np.random.default_rng(0).integers(2**63, size=len(film.frame_hashes), dtype=np.uint64)
    film = replace(film, motion_hashes=moving)
    assert a_frame(cut_out(film, 0, 60)) > short
    assert a_frame(film) <= long


def test_a_picture_that_stands_still_is_asked_for_once_a_second() -> None:
    asked = query_landmarks(make_still(1, 60.0, picture=0x0F0F0F0F0F0F0F0E))
    _, counts = np.unique(asked.tokens, return_counts=True)
    assert counts.max() == 60
