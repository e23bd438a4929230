"""The score is a probability that evidence of all kinds adds to."""

from __future__ import annotations

import pytest

from inspector.matching.evidence import Stretch
from inspector.matching.likelihood import MOST_PRESENCE_NATS
from inspector.matching.lines import Line
from inspector.matching.score import CHANCE, FURTHER_SHARE, WORTH, log_odds, probability

PLAIN = Line(1.0, 0.0)


def score_of(*stretches: Stretch) -> float:
    return probability(log_odds(stretches))


def test_presence_alone_does_not_reach_the_default_threshold() -> None:
    stretches = [
        Stretch(PLAIN, at, at + 60.0, presence_nats=MOST_PRESENCE_NATS) for at in (0.0, 100.0, 200.0)
    ]
    assert score_of(stretches[0]) < 0.5
    assert score_of(*stretches) == score_of(stretches[0])


def test_every_kind_that_a_stretch_has_is_worth_something() -> None:
    assert set(WORTH) == set(Stretch(PLAIN, 0.0, 1.0).kinds)
    assert min(WORTH.values()) > 0


def test_an_unusual_line_costs() -> None:
    plain, fast = (
        Stretch(line, 0.0, 9.0, motion_nats=8.0, presence_nats=9.0) for line in (PLAIN, Line(1.1, 0.0))
    )
    assert score_of(fast) < score_of(plain)


def test_further_stretches_count_half() -> None:
    first, second = (Stretch(PLAIN, at, at + 5.0, motion_nats=nats) for at, nats in ((0.0, 9.0), (20.0, 4.0)))
    odds = log_odds([second, first])
    assert odds["motion"] == pytest.approx(WORTH["motion"] * (9.0 + FURTHER_SHARE * 4.0))
    assert odds["chance"] == CHANCE


def test_much_evidence_is_no_overflow() -> None:
    assert score_of(Stretch(PLAIN, 0.0, 9.0, motion_nats=1e6)) == pytest.approx(1.0)
    assert score_of(Stretch(PLAIN, 0.0, 9.0, motion_nats=-1e6)) == pytest.approx(0.0)
