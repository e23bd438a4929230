"""The accuracy benchmark computes what it says."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.__main__ import honesty, read_match
from benchmarks.accuracy.figures import (
    Bin,
    Box,
    Corpus,
    Prediction,
    best_scores,
    border_errors,
    brier_score,
    parity,
    reliability,
)

WHOLE = Box(0.0, 10.0, 5.0, 15.0)
CORPUS = Corpus(
    truth={("q1", "r1"): (WHOLE,), ("q2", "r2"): (WHOLE,), ("q3", "r1"): (WHOLE,)},
    ignored={("q4", "r1"): (Box(0.0, 4.0, 0.0, 4.0),)},
    transforms={"q1": "crop", "q2": "flip", "q3": "audio_only", "q4": "neg_intro"},
    groups={"r1": "one", "r2": "three"},
)


def predicted(query: str, ref: str, score: float, box: Box = WHOLE) -> Prediction:
    return Prediction((query, ref), box, score)


def test_halves_are_by_parity_of_the_group() -> None:
    number = parity("one")
    assert parity("three") == 1 - number
    half = CORPUS.half(number)
    assert set(half.groups) == {"r1"}
    assert set(half.truth) == {("q1", "r1"), ("q3", "r1")}
    assert half.judged([predicted("q1", "r1", 0.9), predicted("q1", "r2", 0.9)]) == [
        predicted("q1", "r1", 0.9)
    ]


def test_ignored_stretches_and_sound_alone_are_not_judged() -> None:
    inside, beyond = Box(0.0, 4.5, 0.0, 4.5), Box(0.0, 8.0, 0.0, 8.0)
    kept = CORPUS.judged(
        [predicted("q3", "r1", 0.9), predicted("q4", "r1", 0.9, inside), predicted("q4", "r1", 0.8, beyond)]
    )
    assert kept == [predicted("q4", "r1", 0.8, beyond)]
    assert set(CORPUS.counted) == {("q1", "r1"), ("q2", "r2")}


def test_brier_counts_what_was_not_submitted_as_zero() -> None:
    scores = best_scores([predicted("q1", "r1", 0.4), predicted("q1", "r1", 0.8), predicted("q4", "r1", 0.5)])
    assert brier_score(scores, CORPUS.counted, 8) == pytest.approx((0.04 + 0.25 + 1.0) / 8)


def test_reliability_is_the_share_of_true_pairs_in_each_bin() -> None:
    scores = {("q1", "r1"): 1.0, ("q2", "r2"): 0.5, ("q4", "r1"): 0.44}
    table = reliability(scores, CORPUS.counted)
    assert table == [Bin(0.4, 0.6, 2, 0.47, 0.5), Bin(0.99, 1.0, 1, 1.0, 1.0)]


def test_border_errors_are_those_of_the_prediction_that_overlaps_most() -> None:
    near, far = Box(0.1, 9.5, 5.1, 14.5), Box(9.0, 10.0, 14.0, 15.0)
    found = [predicted("q1", "r1", 0.9, far), predicted("q1", "r1", 0.9, near)]
    assert border_errors(found, CORPUS.counted) == pytest.approx([0.1, 0.5, 0.1, 0.5])
    assert border_errors([predicted("q1", "r1", 0.9, Box(20, 21, 30, 31))], CORPUS.counted) == []


def test_the_report_shows_both_halves() -> None:
    lines = honesty(CORPUS, [predicted("q1", "r1", 0.9), predicted("q4", "r2", 0.6)])
    assert "| all | 2 | 0.500 | 1 |" in lines[2]
    assert sum("half" in line for line in lines) == 3


def test_rows_of_a_scan_are_named_by_their_files() -> None:
    row = {
        "query": "queries/q1.mp4", "reference": "r1.mp4", "query_start": "0.0", "query_end": "1.5",
        "reference_start": "2", "reference_end": "3.5", "speed": "1", "score": "0.75", "verdict": "partial",
    }  # fmt: skip
    assert read_match(row) == Prediction(("q1.mp4", "r1.mp4"), Box(0.0, 1.5, 2.0, 3.5), 0.75)
