"""The order of events within one key.

Source: Amazon S3 User Guide, "Event message structure": pad the shorter sequencer with zeros on the left,
then compare as text. Sequencers of different keys cannot be compared.
"""

from __future__ import annotations


def is_older(sequencer: str | None, than: str | None) -> bool:
    """Whether an event is certainly older than another of the same key; unknown counts as not older."""
    if not sequencer or not than:
        return False
    width = max(len(sequencer), len(than))
    return sequencer.upper().rjust(width, "0") < than.upper().rjust(width, "0")
