"""Which copy is worth keeping: rules in an order that people set, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inspector.model import MediaInfo
from inspector.settings import keeper_rule_name

#: Codecs by what they make of a bit, the best first; whoever is not listed comes last.
CODECS: Final = ("av1", "hevc", "vp9", "h264", "vp8", "mpeg4", "mpeg2video", "mjpeg")
#: How many bits of H.264 make the picture that one bit of this codec makes; of others nobody knows: 1.
#: Source, for HEVC, MPEG-4 ASP and MPEG-2: J.-R. Ohm et al., "Comparison of the Coding Efficiency of Video
#: Coding Standards", IEEE TCSVT 22 (2012), bit rates for equal PSNR; the others by what their makers claim.
WORTH: Final = {
    "av1": 2.2,
    "hevc": 1.55,
    "vp9": 1.4,
    "vp8": 0.8,
    "mpeg4": 0.55,
    "mpeg2video": 0.45,
    "mjpeg": 0.2,
}
#: Bit rates and durations that differ by a smaller share are equal: containers and encoders round them.
NEARLY: Final = {"bitrate": 0.1, "duration": 0.01}
#: What bits are worth is a rough guess: between codecs only more than twice as much tells copies apart.
NEARLY_BETWEEN_CODECS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Copy:
    """One object that may be kept."""

    video_id: int
    key: str
    size_bytes: int
    uploaded_at: datetime
    duration_s: float
    media: MediaInfo

    @property
    def bit_rate_bps(self) -> float:
        """As declared; else the mean of the whole file."""
        return self.media.bit_rate_bps or 8 * self.size_bytes / max(self.duration_s, 1e-3)

    @property
    def worth_bps(self) -> float:
        """The bit rate that H.264 would need for such a picture: an old codec wastes what it is given."""
        return self.bit_rate_bps * WORTH.get(self.media.video_codec, 1.0)


@dataclass(frozen=True, slots=True)
class Keeper:
    """reason: why it, in words.  against: by video id, why it rather than this other one."""

    copy: Copy
    reason: str
    against: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Rule:
    """value: what is compared, the greater the better.  said: how a person calls it."""

    value: Callable[[Copy], float]
    said: Callable[[Copy], str]


_RULES: Final = {
    "resolution": _Rule(lambda c: c.media.width * c.media.height, lambda c: _size(c.media)),
    "bitrate": _Rule(lambda c: c.worth_bps, lambda c: _rate(c.bit_rate_bps)),
    "duration": _Rule(lambda c: c.duration_s, lambda c: f"{c.duration_s:.1f} s"),
    "codec": _Rule(lambda c: -_rank(c.media.video_codec), lambda c: c.media.video_codec),
    "uploaded": _Rule(lambda c: -c.uploaded_at.timestamp(), lambda c: f"uploaded {c.uploaded_at:%F %T}"),
    "size": _Rule(lambda c: c.size_bytes, lambda c: f"{c.size_bytes:,} bytes"),
    "path": _Rule(lambda c: -len(c.key), lambda c: c.key),
}  # fmt: skip


def suggest_keeper(copies: Sequence[Copy], rules: Sequence[str]) -> Keeper:
    """The copy to keep: each rule leaves those that are best by it, until one is left.

    copies: at least one.  rules: as `INSPECTOR_KEEPER_RULES` names them; `-` before a name turns it round.
    What no rule tells apart is decided by the keys in their order, so the answer depends on nothing else.
    """
    left = sorted(copies, key=lambda copy: copy.key)
    fallen: list[tuple[Copy, str]] = []
    for rule in rules:
        best, others = _best(left, rule)
        fallen += [(copy, rule) for copy in others]
        left = best
    keeper = left[0]
    against = {copy.video_id: _words(keeper, copy, rule) for copy, rule in fallen}
    against |= {copy.video_id: f"alike; first by name: {keeper.key}" for copy in left[1:]}
    first = _words(keeper, *fallen[0]) if fallen else "all alike; first by name"
    return Keeper(keeper, first if len(copies) > 1 else "the only copy", against)


def _best(copies: list[Copy], rule: str) -> tuple[list[Copy], list[Copy]]:
    """Those that are (nearly) as good as the best by this rule, and the others."""
    name, sign = keeper_rule_name(rule), -1 if rule.startswith("-") else 1
    values = [sign * _RULES[name].value(copy) for copy in copies]
    most = max(values)
    best = copies[values.index(most)]
    good: list[Copy] = []
    others: list[Copy] = []
    for copy, value in zip(copies, values, strict=True):
        nearly = most - value <= _tolerance(name, copy, best) * max(abs(most), abs(value))
        (good if nearly else others).append(copy)
    return good, others


def _tolerance(rule: str, one: Copy, other: Copy) -> float:
    """By which share of the larger one they may differ and yet be equal."""
    if rule == "bitrate" and one.media.video_codec != other.media.video_codec:
        return NEARLY_BETWEEN_CODECS
    return NEARLY.get(rule, 0.0)


def _words(keeper: Copy, other: Copy, rule: str) -> str:
    name = keeper_rule_name(rule)
    said = _RULES[name].said
    one, two = keeper.media.video_codec, other.media.video_codec
    if name == "bitrate" and one != two:
        compared = "more" if keeper.worth_bps > other.worth_bps else "less"
        return f"{said(keeper)} of {one} is worth {compared} than {said(other)} of {two}"
    return f"{said(keeper)} against {said(other)}"


def _rank(codec: str) -> int:
    return CODECS.index(codec) if codec in CODECS else len(CODECS)


def _size(media: MediaInfo) -> str:
    return f"{media.width}×{media.height}"


def _rate(bit_rate_bps: float) -> str:
    return f"{bit_rate_bps / 1e6:.2f} Mbit/s" if bit_rate_bps >= 1e6 else f"{bit_rate_bps / 1e3:.0f} kbit/s"
