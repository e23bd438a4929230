"""Which copy is worth keeping, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import ConfigError
from inspector.model import MediaInfo
from inspector.review import Copy, suggest_keeper
from inspector.settings import KEEPER_RULES, Settings, load_settings
from tests.services import settings_for_test

DEFAULT: Sequence[str] = Settings.model_fields["keeper_rules"].default
MORNING = datetime(2026, 1, 1, tzinfo=UTC)
MEDIA = MediaInfo("mov", 60.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 1000, bit_rate_bps=800_000)
COPY = Copy(1, "films/a.mp4", 6_000_000, MORNING, 60.0, MEDIA)


def other(**changes: object) -> Copy:
    """Another copy, different in these points."""
    media = {
        name: changes.pop(name) for name in list(changes) if hasattr(MEDIA, name) and name != "size_bytes"
    }
    return replace(COPY, video_id=2, key="films/b.mp4", media=replace(MEDIA, **media), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        (other(width=1920, height=1080), "1920×1080 against 640×360"),
        (other(bit_rate_bps=2_500_000), "2.50 Mbit/s against 800 kbit/s"),
        (replace(other(), duration_s=66.0), "66.0 s against 60.0 s"),
        (other(video_codec="av1", bit_rate_bps=360_000), "av1 against h264"),
        (
            other(video_codec="vp9", bit_rate_bps=1_300_000),
            "1.30 Mbit/s of vp9 is worth more than 800 kbit/s of h264",
        ),
        (
            replace(other(), uploaded_at=MORNING - timedelta(days=1)),
            "uploaded 2025-12-31 00:00:00 against uploaded 2026-01-01 00:00:00",
        ),
        (replace(other(), key="b.mp4"), "b.mp4 against films/a.mp4"),
    ],
)
def test_the_better_copy_is_kept_and_the_reason_is_said(better: Copy, reason: str) -> None:
    keeper = suggest_keeper([COPY, better], DEFAULT)
    assert (keeper.copy, keeper.reason, keeper.against) == (better, reason, {1: reason})


def test_the_first_rule_that_tells_them_apart_decides() -> None:
    small_and_early = replace(other(width=320, height=180), uploaded_at=MORNING - timedelta(days=9))
    assert suggest_keeper([COPY, small_and_early], DEFAULT).copy == COPY
    assert suggest_keeper([COPY, small_and_early], ["uploaded", "resolution"]).copy == small_and_early


def test_a_rule_can_be_turned_round() -> None:
    late = replace(other(), uploaded_at=MORNING + timedelta(days=9))
    assert suggest_keeper([COPY, late], ["uploaded"]).copy == COPY
    assert suggest_keeper([COPY, late], ["-uploaded"]).copy == late


def test_what_differs_by_rounding_is_equal() -> None:
    nearly = replace(other(bit_rate_bps=830_000), duration_s=60.2, key="films/0.mp4")
    assert suggest_keeper([COPY, nearly], ["bitrate", "duration"]).reason == "all alike; first by name"


def test_an_old_codec_is_not_kept_for_the_bits_it_wastes_nor_a_new_one_for_its_name() -> None:
    old = other(video_codec="mpeg4", bit_rate_bps=1_500_000)
    new = other(video_codec="vp9", bit_rate_bps=1_000_000)
    keeper = suggest_keeper([old, replace(new, video_id=3)], DEFAULT)
    assert (keeper.copy.media, keeper.reason) == (new.media, "vp9 against mpeg4")
    master = other(video_codec="h264", bit_rate_bps=20_000_000)
    squeezed = replace(other(video_codec="av1", bit_rate_bps=1_000_000), video_id=3)
    keeper = suggest_keeper([master, squeezed], DEFAULT)
    assert keeper.copy == master
    assert keeper.reason == "20.00 Mbit/s of h264 is worth more than 1.00 Mbit/s of av1"
    assert suggest_keeper([old, squeezed], ["-bitrate"]).reason.endswith(
        "is worth less than 1.00 Mbit/s of av1"
    )


def test_an_unknown_bit_rate_is_that_of_the_whole_file() -> None:
    unknown = other(bit_rate_bps=None)
    assert unknown.bit_rate_bps == 800_000


copies = st.lists(
    st.builds(
        lambda height, rate, days, size: (height, rate, days, size),
        st.sampled_from((360, 720)),
        st.sampled_from((500_000, 530_000, 900_000)),
        st.integers(0, 2),
        st.sampled_from((10, 20)),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda found: [
        Copy(
            n,
            f"{n}.mp4",
            size,
            MORNING + timedelta(days=days),
            60.0,
            replace(MEDIA, height=height, bit_rate_bps=rate),
        )
        for n, (height, rate, days, size) in enumerate(found)
    ]
)
rules = st.permutations(KEEPER_RULES).flatmap(
    lambda order: st.integers(1, len(order)).map(lambda count: order[:count])
)


@given(copies, rules, st.randoms(use_true_random=False))
def test_the_order_of_the_copies_changes_nothing_and_every_other_one_hears_why(
    found: list[Copy], order: list[str], random: object
) -> None:
    keeper = suggest_keeper(found, order)
    assert suggest_keeper(found[::-1], order) == keeper
    assert set(keeper.against) == {copy.video_id for copy in found} - {keeper.copy.video_id}


def test_every_rule_of_the_settings_is_known() -> None:
    for rule in KEEPER_RULES:
        assert suggest_keeper([COPY, other()], [rule, f"-{rule}"]).copy in (COPY, other())


def test_rules_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECTOR_KEEPER_RULES", "duration, -uploaded,size")
    assert settings_for_test().keeper_rules == ("duration", "-uploaded", "size")


@pytest.mark.parametrize("rules", ["size", "-size,path", "beauty", "path,path", "path,-path", ","])
def test_rules_that_make_no_sense_are_refused_and_so_is_size_alone(
    rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECTOR_KEEPER_RULES", rules)
    with pytest.raises(ConfigError, match=r"(?i)keeper_rules"):
        load_settings()
