"""Straight lines in the plane of two contents' times: how one may lie on the other."""

from __future__ import annotations

from typing import Final, NamedTuple

from inspector.matching.guises import GUISES

#: Natural logarithm of odds, guessed.
PRICE_OF_SPEED: Final = 3.0
SAME_SPEED: Final = 0.004


class Line(NamedTuple):
    """b's time = speed · a's time + offset_s, where both are seen in `GUISES[guise]`."""

    speed: float
    offset_s: float
    guise: int = 0

    @property
    def price_nats(self) -> float:
        """Log odds against such a line: most copies keep their speed, and most show all of the picture."""
        price = PRICE_OF_SPEED if abs(self.speed - 1) > SAME_SPEED else 0.0
        return price + GUISES[self.guise].price_nats
