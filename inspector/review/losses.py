"""Which objects the decisions condemn, and which one is kept in place of each: never does a last copy go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A standing decision `duplicate` that names what is kept.

    loser: sha256 of what is not kept; the same as `keeper` if it is about copies of the same bytes.
    keep_key: the key that was kept; any other of the same bytes will do, where others are to go.
    """

    decision_id: int
    keeper: bytes
    loser: bytes
    keep_key: str


@dataclass(frozen=True, slots=True)
class Holding:
    """An object that is in the bucket, as last seen."""

    video_id: int
    bucket: str
    key: str
    etag: str
    version_id: str | None
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Loss:
    """An object that may go, because of what is kept."""

    holding: Holding
    keeper: Holding
    decision_id: int


@dataclass(frozen=True, slots=True)
class Losses:
    """refused: why a decision condemns nothing now, by its id."""

    losses: tuple[Loss, ...]
    refused: dict[int, str]


def find_losses(confirmed: Iterable[Confirmed], holdings: Iterable[Holding]) -> Losses:
    """What may go. Each lost object has a keeper that is there and goes by no decision itself.

    Where A is kept of A and B, and B of B and C, A stands for C too. Who loses in a circle stays.
    """
    decisions = sorted(confirmed, key=lambda each: each.decision_id)
    house = _House(decisions, holdings)
    losses: dict[int, Loss] = {}
    refused: dict[int, str] = {}
    for each in decisions:
        keeper = house.keeper_of(each)
        if keeper is None:
            refused[each.decision_id] = f"what was kept ({each.keep_key}) is gone, or is to go itself"
            continue
        for holding in house.condemned_by(each):
            if holding.video_id != keeper.video_id:
                losses.setdefault(holding.video_id, Loss(holding, keeper, each.decision_id))
    return Losses(tuple(sorted(losses.values(), key=lambda loss: loss.holding.key)), refused)


class _House:
    """What is there, and who was kept instead of whom."""

    def __init__(self, decisions: Sequence[Confirmed], holdings: Iterable[Holding]) -> None:
        self._held: dict[bytes, list[Holding]] = defaultdict(list)
        for holding in sorted(holdings, key=lambda each: (each.key, each.video_id)):
            self._held[holding.sha256].append(holding)
        self._winners: dict[bytes, list[Confirmed]] = defaultdict(list)
        for each in decisions:
            if each.keeper != each.loser:
                self._winners[each.loser].append(each)
        self._kept_key = {each.keeper: each.keep_key for each in decisions if each.keeper == each.loser}

    def condemned_by(self, decision: Confirmed) -> list[Holding]:
        """All objects of the loser; none of several of the same bytes, if all go by another decision."""
        same_bytes = decision.keeper == decision.loser
        return [] if same_bytes and self._winners[decision.loser] else self._held[decision.loser]

    def keeper_of(self, decision: Confirmed) -> Holding | None:
        """An object that stays, reached from what is kept here by who was kept instead of whom."""
        seen = {decision.loser} if decision.keeper != decision.loser else set()
        open_to = [decision]
        while open_to:
            each = open_to.pop(0)
            if each.keeper in seen:
                continue
            seen.add(each.keeper)
            found = None if self._winners[each.keeper] else self._staying(each.keeper, each.keep_key)
            if found is not None:
                return found
            open_to += self._winners[each.keeper]
        return None

    def _staying(self, sha256: bytes, key: str) -> Holding | None:
        """The object that stays of these bytes: the one chosen among them, else the one named here."""
        chosen = self._kept_key.get(sha256)
        holdings = [each for each in self._held[sha256] if chosen is None or each.key == chosen]
        named = next((each for each in holdings if each.key == key), None)
        return named or next(iter(holdings), None)
