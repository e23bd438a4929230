"""The tables. Every other module of this room speaks of them; nothing outside of it does.

videos        what lies under one (bucket, key) now, and the job of inspecting it
contents      sequences of bytes, one row per library and sha256, with their fingerprint
landmarks     the inverted index: token -> where it occurs
matches       pairs of contents that share material
thumbnails    which pictures of a content lie in the bucket
decisions     what people said of them, never changed; standing_decisions: what of it is in force
groups        sets of duplicates, with group_members; stale_groups and groupings: what is to be grouped anew
common_stretches  what many unrelated videos share
actions       what was done to objects because of decisions, written down before and after
checkpoints   what a worker at a long video has done so far; gone with the job
probes        probe objects that ingest has seen
workers       heartbeats
changes       the log of what has visibly changed, in the order of the commits
sweeps        how far the comparison of bucket and database is
monitors      who watches, and when they last looked; recoveries: what they did
reindexes     contents are to be brought up to date with an algorithm; reindex_faults: where that failed
backfills     how far a look at what has long been in the bucket is
idempotency   answers to requests that may be sent again
uploads       uploads in parts that are not ended
recordings    stretches of channels, with recording_segments (videos with stream offsets) and recording_gaps
watched_files what a watched folder has uploaded
outbox        events to be told to the world outside, written by a trigger as jobs end
deliveries    each of them on its way to one target

A trigger (see migrations) gives every visible change of a video or content a new revision and notifies the
channel `inspector_changes`, so no code can forget to. Another writes the log `changes` when the transaction
commits, under a lock: positions are then in the order in which changes become visible, and who has read up to
one has missed nothing before it. Revisions are not: they are given before the commit.
"""

from inspector.store.tables.arrivals import IdempotencyRow, UploadRow, WatchedFileRow
from inspector.store.tables.base import CHANGES_CHANNEL, CLAIMABLE, JOBS_CHANNEL, Base
from inspector.store.tables.contents import ContentRow, LandmarkRow, MatchRow, ThumbnailsRow
from inspector.store.tables.growth import BackfillRow, ReindexFaultRow, ReindexRow, SweepRow
from inspector.store.tables.news import ChangeRow, DeliveryRow, OutboxRow
from inspector.store.tables.recordings import RecordingGapRow, RecordingRow, RecordingSegmentRow
from inspector.store.tables.reviews import (
    ActionRow,
    CommonStretchRow,
    DecisionRow,
    GroupingRow,
    GroupMemberRow,
    GroupRow,
    StaleGroupRow,
    StandingDecisionRow,
)
from inspector.store.tables.videos import AttemptRow, CheckpointRow, VideoRow
from inspector.store.tables.vitals import MonitorRow, ProbeRow, RecoveryRow, WorkerRow

__all__ = [
    "CHANGES_CHANNEL",
    "CLAIMABLE",
    "JOBS_CHANNEL",
    "ActionRow",
    "AttemptRow",
    "BackfillRow",
    "Base",
    "ChangeRow",
    "CheckpointRow",
    "CommonStretchRow",
    "ContentRow",
    "DecisionRow",
    "DeliveryRow",
    "GroupMemberRow",
    "GroupRow",
    "GroupingRow",
    "IdempotencyRow",
    "LandmarkRow",
    "MatchRow",
    "MonitorRow",
    "OutboxRow",
    "ProbeRow",
    "RecordingGapRow",
    "RecordingRow",
    "RecordingSegmentRow",
    "RecoveryRow",
    "ReindexFaultRow",
    "ReindexRow",
    "StaleGroupRow",
    "StandingDecisionRow",
    "SweepRow",
    "ThumbnailsRow",
    "UploadRow",
    "VideoRow",
    "WatchedFileRow",
    "WorkerRow",
]
