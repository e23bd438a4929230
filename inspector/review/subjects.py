"""What a decision is about, and how people and programs write it: `g12`, `p3-17`, `s3@0-9960`.

A revision may follow, as the lists print it (`g12@345`, `s3@0-9960@345`): the decision is then refused if the
subject has changed since.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from inspector.errors import UnknownSubject


@dataclass(frozen=True, slots=True)
class GroupId:
    """A group of duplicates, by its number."""

    number: int

    def __str__(self) -> str:
        return f"g{self.number}"


@dataclass(frozen=True, slots=True)
class PairId:
    """Two contents that match, by their ids; a is the one with the smaller sha256."""

    content_a: int
    content_b: int

    def __str__(self) -> str:
        return f"p{self.content_a}-{self.content_b}"


@dataclass(frozen=True, slots=True)
class StretchId:
    """A stretch of a content, in milliseconds."""

    content_id: int
    start_ms: int
    end_ms: int

    def __str__(self) -> str:
        return f"s{self.content_id}@{self.start_ms}-{self.end_ms}"


Subject = GroupId | PairId | StretchId

_NUMBER: Final = r"(\d{1,18})"
_GROUP: Final = re.compile(f"g{_NUMBER}", re.ASCII)
_PAIR: Final = re.compile(f"p{_NUMBER}-{_NUMBER}", re.ASCII)
_STRETCH: Final = re.compile(rf"s{_NUMBER}@(\d{{1,9}})-(\d{{1,9}})", re.ASCII)
_REVISION: Final = re.compile(f"(.+)@{_NUMBER}", re.ASCII)


def parse_subject(text: str) -> tuple[Subject, int | None]:
    """The subject, and the revision behind it if there is one. Raises UnknownSubject."""
    subject = _subject(text)
    if subject is not None:
        return subject, None
    revised = _REVISION.fullmatch(text)
    subject = _subject(revised[1]) if revised else None
    if subject is None or revised is None:
        raise UnknownSubject(f"{text!r} is no group (g12), pair (p3-17) or stretch (s3@0-9960)")
    return subject, int(revised[2])


def _subject(text: str) -> Subject | None:
    if found := _GROUP.fullmatch(text):
        return GroupId(int(found[1]))
    if found := _PAIR.fullmatch(text):
        return PairId(int(found[1]), int(found[2]))
    if (found := _STRETCH.fullmatch(text)) and int(found[2]) < int(found[3]):
        return StretchId(*(int(number) for number in found.groups()))
    return None
