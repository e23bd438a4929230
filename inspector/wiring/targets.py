"""Who is told of results: what the settings name, as targets of the outbox."""

from __future__ import annotations

from typing import Final

from inspector.aws import make_s3
from inspector.aws.publish import Bus, Tags, Topic, tag_value
from inspector.aws.session import make_eventbridge, make_sns
from inspector.model import State, VideoStatus
from inspector.settings import Settings, WebhookEndpoint
from inspector.store.outbox import EventKind, Message
from inspector.store.status import StatusReader
from inspector.worker.outbox import Target, duplicate_of, strongest
from inspector.worker.webhooks import Sender, body_of

ALL: Final = frozenset(EventKind)
_TAGGED: Final = (State.DONE, State.REJECTED, State.FAILED)


def make_targets(settings: Settings, statuses: StatusReader) -> dict[str, Target]:
    """By the names under which deliveries are kept."""
    sender = Sender(private=settings.webhook_private)
    targets = {f"webhook:{each.label}": _webhook(sender, each) for each in settings.webhook_endpoints}
    if settings.object_tags:
        targets["tags"] = Target(Tagging(Tags(make_s3(settings), settings.bucket), statuses).tell, ALL)
    if settings.sns_topic_arn:
        targets["sns"] = _topic(Topic(make_sns(settings), settings.sns_topic_arn))
    if settings.eventbridge_bus:
        targets["eventbridge"] = _bus(Bus(make_eventbridge(settings), settings.eventbridge_bus))
    return targets


def _webhook(sender: Sender, endpoint: WebhookEndpoint) -> Target:
    kinds = frozenset(EventKind(kind) for kind in endpoint.events) or ALL
    return Target(lambda message: sender.send(endpoint, message), kinds)


def _topic(topic: Topic) -> Target:
    return Target(lambda message: topic.publish(message.kind, body_of(message)), ALL)


def _bus(bus: Bus) -> Target:
    return Target(lambda message: bus.put(message.kind, body_of(message)), ALL)


class Tagging:
    """Tags the object that an event is about; of a match both, since it may change either's verdict.

    Tags show how a video stands when they are written, so their order does not matter.
    """

    def __init__(self, tags: Tags, statuses: StatusReader) -> None:
        self._tags = tags
        self._statuses = statuses

    def tell(self, message: Message) -> None:
        """Raises Unavailable. An object that is gone needs no tags."""
        data = message.data
        ids = [data["other"]["id"], data["video"]["id"]] if "other" in data else [data["id"]]
        for status in self._statuses.by_ids(ids):
            if status.state in _TAGGED:
                self._tags.write(status.key, _tags_of(status))


def _tags_of(status: VideoStatus) -> dict[str, str | None]:
    original = duplicate_of(status)
    verdict = strongest(status) or "none"
    return {
        "status": status.state.value,
        "verdict": str(verdict) if status.state is State.DONE else None,
        "duplicate-of": tag_value(original, f"video {original_id(status)}") if original else None,
    }


def original_id(status: VideoStatus) -> int:
    """The number of the video that `duplicate_of` names; keys may hold what tags cannot."""
    return next(match.video_id for match in status.duplicates if match.key == duplicate_of(status))
