"""Common material as the review shows it: each stretch once, how it is treated, what can be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inspector.model import Decision
from inspector.store.reviews import CommonStretch
from inspector.store.thumbnails import Thumbnails

#: What can be said of a stretch, as buttons: the word, and the key.
RULINGS: Final = {
    Decision.COMMON: ("Common material", "m"),
    Decision.NOT_COMMON: ("Counts as a match", "n"),
}


@dataclass(frozen=True, slots=True)
class StretchCard:
    """A stretch. said: what a form calls it, with the revision that is looked at.

    in_force: how it is treated now; by_person: whether somebody said so, or only counting.
    picture: the number of the example's picture that lies in the stretch, or next to it.
    """

    name: str
    said: str
    key: str
    sha256: str
    start_s: float
    end_s: float
    shared_by: int
    in_force: Decision
    by_person: bool
    picture: int | None


def stretch_cards(
    stretches: Sequence[CommonStretch], pictures: Mapping[str, Thumbnails]
) -> list[StretchCard]:
    """pictures: those of the contents that there are, by sha256."""
    return [_card(each, pictures.get(each.member.sha256.hex())) for each in stretches]


def _card(stretch: CommonStretch, pictures: Thumbnails | None) -> StretchCard:
    start_s, end_s = stretch.id.start_ms / 1000, stretch.id.end_ms / 1000
    return StretchCard(
        name=str(stretch.id),
        said=f"{stretch.id}@{stretch.revision}",
        key=stretch.member.videos[0].key,
        sha256=stretch.member.sha256.hex(),
        start_s=start_s,
        end_s=end_s,
        shared_by=stretch.shared_by,
        in_force=stretch.ruling or Decision.COMMON,
        by_person=stretch.ruling is not None,
        picture=_nearest(pictures.times_s, (start_s + end_s) / 2) if pictures else None,
    )


def _nearest(times_s: Sequence[float], wanted_s: float) -> int:
    return min(range(len(times_s)), key=lambda n: abs(times_s[n] - wanted_s))
