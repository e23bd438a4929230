"""The metrics of this process, in Prometheus' terms; the web adds gauges derived from the database."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info

from inspector.build import this_build
from inspector.model import ALGORITHM

BUILD: Final = Info("inspector_build", "What runs here.")
BUILD.info(
    {
        "version": this_build().version,
        "commit": this_build().commit,
        "python": this_build().python,
        "algorithm": str(ALGORITHM),
    }
)

EVENTS: Final = Counter(
    "inspector_events_total", "Object events looked at, by what came of them.", ["outcome"]
)
QUEUE_LAG_SECONDS: Final = Histogram(
    "inspector_queue_lag_seconds",
    "Time between the sending of a message and its first receive.",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
)
MESSAGES_MALFORMED: Final = Counter(
    "inspector_messages_malformed_total", "Messages that were dead-lettered unread."
)
JOBS_FINISHED: Final = Counter(
    "inspector_jobs_finished_total", "Attempts that ended, by their outcome.", ["outcome"]
)
LEASES_EXTENDED: Final = Counter("inspector_lease_extensions_total", "Leases renewed by a heartbeat.")
LEASES_LOST: Final = Counter("inspector_leases_lost_total", "Jobs dropped because another worker owns them.")
STEP_SECONDS: Final = Histogram(
    "inspector_step_duration_seconds",
    "Time one step of an inspection took.",
    ["step"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000),
)
MEDIA_SECONDS: Final = Counter("inspector_media_seconds_total", "Seconds of media decoded.")
MATCHES: Final = Counter("inspector_matches_total", "Matches stored, by verdict.", ["verdict"])
CANDIDATES: Final = Counter("inspector_candidates_total", "Candidates compared in full.")
REINDEXED: Final = Counter(
    "inspector_reindexed_total", "Contents brought up to date with a new algorithm, by how.", ["how"]
)
BREAKER_OPEN: Final = Gauge("inspector_queue_breaker_open", "1 while the queue cannot be reached.")
SWEEPS: Final = Counter("inspector_sweeps_total", "Sweeps ended, by their outcome.", ["outcome"])
DELIVERIES: Final = Counter(
    "inspector_deliveries_total",
    "Attempts to tell the world outside, by the kind of target and what came of them.",
    ["target", "outcome"],
)
SCRATCH_FREE_BYTES: Final = Gauge("inspector_scratch_free_bytes", "Free space where downloads go.")
SCRATCH_RESERVE_BYTES: Final = Gauge(
    "inspector_scratch_reserve_bytes", "Space that downloads must leave free there."
)

# the web
HTTP_SECONDS: Final = Histogram(
    "inspector_http_request_duration_seconds",
    "Time until a response began, by its address's pattern.",
    ["route", "status"],
    buckets=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
STREAMS: Final = Gauge("inspector_streams", "Streams of status changes that are open.")
STREAMS_DROPPED: Final = Counter(
    "inspector_streams_dropped_total", "Streams ended because their reader had stopped reading."
)
BOARD_READS: Final = Counter(
    "inspector_board_reads_total", "Look-ups of a status by key, by what answered them.", ["answered_by"]
)
FEEDER_RESTARTS: Final = Counter(
    "inspector_feeder_restarts_total", "Times the status board's feeder was replaced."
)
WEB: Final = (BUILD, HTTP_SECONDS, STREAMS, STREAMS_DROPPED, BOARD_READS, FEEDER_RESTARTS)
