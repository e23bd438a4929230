"""The stream's time: where each group of pictures lies on it, whatever becomes of the source and its clock.

Stream time begins with 0 at the first frame. While the source's clock goes on, it alone decides. Where it
jumps, or another ffmpeg has taken over, the wall clock says how long nothing came. Pure: no clock of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from inspector.media.transport import TICKS_PER_S, Group, Stamp, apart

#: Files begin a second after zero, so that no decoding time is negative.
LEAD_TICKS: Final = TICKS_PER_S
#: A source's clock may be so far off from frame to frame without anything being missing.
SMOOTH_S: Final = 0.25
#: By so much more than the time that passed a source may jump ahead: it delivers from a buffer of its own.
AHEAD_S: Final = 10.0
#: Groups by which one that is delivered again is told: some minutes.
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class Laid:
    """A group at its place. start_s, end_s: stream time.  data: packets whose times are stream time.

    fresh: its parameters are not those of the group before it.
    """

    data: bytes
    start_s: float
    end_s: float
    frames: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was delivered for this stretch of stream time."""

    start_s: float
    end_s: float
    reason: str


class Tape:
    """Takes groups in the order of their arrival; tells where they lie, and what is missing between them.

    The last group of a run that was cut short is held back: the next run may deliver it again, and whole.
    """

    def __init__(self) -> None:
        self._stamp = Stamp()
        self._shift: int | None = None  # ticks from the source's clock to ours
        self._end: int = 0  # of what is laid, in the source's ticks
        self._arrived: float = 0.0  # when the last group came
        self._parameters = (b"", b"")
        self._seen: deque[tuple[int, bytes]] = deque(maxlen=_REMEMBERED)
        self._held: Group | None = None
        self._repeating = False
        self._again_ticks = inf
        self._reason = ""

    def successor(self) -> Tape:
        """A tape whose second 0 is where this one ends: what was delivered is known to it, too.

        Only of one that is settled.
        """
        tape = Tape()
        if self._shift is not None:
            tape._shift, tape._end = LEAD_TICKS - self._end, self._end
        tape._arrived, tape._parameters, tape._seen = self._arrived, self._parameters, self._seen.copy()
        return tape

    @property
    def settled(self) -> bool:
        """Whether what comes next is new: another tape may take it."""
        return not self._repeating and self._held is None

    @property
    def empty(self) -> bool:
        """Whether nothing was ever laid, on this one or one before it."""
        return self._shift is None

    @property
    def end_s(self) -> float:
        """Stream time so far."""
        return 0.0 if self._shift is None else self._to_s(self._end)

    def add(self, group: Group, now: float) -> Iterator[Laid | Gap]:
        """A group has arrived at this moment (seconds of any steady clock)."""
        if self._repeating:
            if self._held is not None and group.identity == self._held.identity:
                self._held = None
                self._repeating = False
            elif self._is_known(group):
                return
            else:
                self._repeating = False
        yield from self.release()
        yield from self._lay(group, now)

    def cut_short(
        self, group: Group | None, reason: str, now: float, *, again_s: float = inf
    ) -> Iterator[Laid | Gap]:
        """A run has ended with this group, because of this; another may follow, and repeat what is known.

        again_s: of the end of the tape, no more than so much. What began before is not the same, but shown
        once more.
        """
        yield from self.release()
        self._again_ticks = again_s * TICKS_PER_S
        if group is not None and not (self._repeating and self._is_known(group)):
            self._held = group
            self._arrived = now
        self._repeating = True
        if group is not None or not self._reason:  # what failed after the first did not make the gap
            self._reason = reason

    def release(self) -> Iterator[Laid | Gap]:
        """Lay what is held back; nobody delivers it again."""
        held, self._held = self._held, None
        if held is not None:
            reason, self._reason = self._reason, ""  # of what comes after it
            yield from self._lay(held, self._arrived)
            self._reason = reason

    @property
    def holds(self) -> bool:
        return self._held is not None

    def _is_known(self, group: Group) -> bool:
        return group.identity in self._seen and apart(self._end, group.start) <= self._again_ticks

    def _lay(self, group: Group, now: float) -> Iterator[Laid | Gap]:
        end_s = self.end_s
        missing = self._missing(group, now - self._arrived)
        if missing > SMOOTH_S * TICKS_PER_S:
            yield Gap(end_s, end_s + missing / TICKS_PER_S, self._reason or "source_jumped")
        parameters = group.parameters
        fresh = any(
            before and now and before != now for before, now in zip(self._parameters, parameters, strict=True)
        )
        shift = self._shift or 0
        laid = Laid(
            data=self._stamp.apply(group, shift),
            start_s=max(0.0, self._to_s(group.first)),
            end_s=self._to_s(group.end),
            frames=len(group.pictures),
            fresh=fresh,
        )
        self._end, self._arrived, self._reason = group.end, now, ""
        picture, sound = (now or before for before, now in zip(self._parameters, parameters, strict=True))
        self._parameters = (picture, sound)
        self._seen.append(group.identity)
        yield laid

    def _missing(self, group: Group, quiet_s: float) -> int:
        """Ticks between the end of what is laid and this group; sets the shift where clocks differ."""
        if self._shift is None:
            self._shift = LEAD_TICKS - group.first
            return 0
        delta = apart(group.start, self._end)
        seconds = delta / TICKS_PER_S
        if -SMOOTH_S <= seconds <= max(quiet_s, 0.0) + AHEAD_S:
            self._shift += self._end + delta - group.start  # nothing, unless the clock has wrapped
            return max(0, delta)
        missing = round(max(0.0, quiet_s) * TICKS_PER_S) if self._reason else 0
        self._shift += self._end + missing - group.start
        return missing

    def _to_s(self, ticks: int) -> float:
        return (ticks + (self._shift or 0) - LEAD_TICKS) / TICKS_PER_S
