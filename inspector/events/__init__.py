"""What a queue message says: three envelopes, one kind of event."""

from inspector.events.dead_letter import redrive_body
from inspector.events.parse import parse_message
from inspector.events.sequencer import is_older

__all__ = ["is_older", "parse_message", "redrive_body"]
