"""The web's metrics: its own, and gauges derived from PostgreSQL and SQS at the moment of the scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inspector import metrics
from inspector.api.feeder import Feeder
from inspector.api.glance import Glance
from inspector.aws.queue import QueueDepths
from inspector.errors import DatabaseUnavailable
from inspector.model import Overview, State
from inspector.store.vitals import IndexSize


@dataclass(frozen=True, slots=True)
class Beside:
    """What is told beside the overview; None where it cannot be told now.

    restarts: how often each process beside us was started again.
    """

    depths: Callable[[], QueueDepths | None] = lambda: None
    index: Callable[[], IndexSize | None] = lambda: None
    restarts: Callable[[], Mapping[str, int]] = dict
    sweep_interval_s: float = 0.0


def build_registry(glance: Glance, feeder: Feeder, beside: Beside) -> CollectorRegistry:
    """What one web process tells Prometheus.

    A registry of its own: the workers' gauges of the default one would say 0 here, and be believed.
    """
    registry = CollectorRegistry(auto_describe=False)
    for own in (ProcessCollector, PlatformCollector, GCCollector):
        own(registry=registry)
    for metric in metrics.WEB:
        registry.register(metric)
    registry.register(Derived(glance, feeder, beside))
    return registry


class Derived(Collector):
    """Gauges that are read off the database, the queues and the board when somebody asks."""

    def __init__(self, glance: Glance, feeder: Feeder, beside: Beside) -> None:
        self._glance = glance
        self._feeder = feeder
        self._beside = beside

    def describe(self) -> list[Metric]:
        """Nothing is asked of the database for a registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _restarts(self._beside.restarts())
        yield from _depths(self._beside.depths())
        live = self._feeder.state.live
        yield _gauge("inspector_feeder_live", "1 while the status board hears changes.", live)
        try:
            overview = self._glance.overview()
        except DatabaseUnavailable:
            yield _gauge("inspector_database_up", "1 while PostgreSQL answers.", 0)
            return
        yield _gauge("inspector_database_up", "1 while PostgreSQL answers.", 1)
        yield from self._of(overview)
        yield from _index(self._beside.index())

    def _of(self, overview: Overview) -> Iterator[Metric]:
        alive = self._glance.alive(overview)
        yield _jobs(overview)
        yield _gauge(
            "inspector_oldest_queued_seconds",
            "How long the oldest queued upload has waited; 0 if none does. A backlog is not counted.",
            overview.oldest_queued_s or 0.0,
        )
        yield _gauge("inspector_workers_alive", "Workers whose hearts beat.", len(alive))
        yield _gauge(
            "inspector_workers_lost",
            "Workers of the last day that ended without taking their leave.",
            len(overview.workers) - len(alive),
        )
        yield _heartbeats(overview)
        yield _gauge(
            "inspector_queue_breaker_open",
            "1 while a living worker cannot reach the queue.",
            any(worker.breaker_open for worker in alive),
        )
        yield _gauge(
            "inspector_sweep_blocked",
            "1 while a sweep waits for --confirm-removals.",
            overview.sweep_blocked is not None,
        )
        help_text = "How often a sweep is due."
        yield _gauge("inspector_sweep_interval_seconds", help_text, self._beside.sweep_interval_s)
        if overview.sweep_age_s is not None:
            help_text = "Time since the last sweep ended."
            yield _gauge("inspector_sweep_age_seconds", help_text, overview.sweep_age_s)
        if overview.monitor_age_s is not None:
            help_text = "Time since a monitor last looked."
            yield _gauge("inspector_monitor_age_seconds", help_text, overview.monitor_age_s)


def _jobs(overview: Overview) -> Metric:
    """Every state is there, with 0 if need be: a missing series is no alert."""
    family = GaugeMetricFamily("inspector_jobs", "Videos by the state of their job.", labels=["state"])
    for state in State:
        if state is not State.PENDING:
            family.add_metric([state.value], overview.jobs.get(state, 0))
    return family


def _heartbeats(overview: Overview) -> Metric:
    family = GaugeMetricFamily(
        "inspector_worker_heartbeat_age_seconds", "Time since a worker's last heartbeat.", labels=["worker"]
    )
    for worker in overview.workers:
        family.add_metric([worker.worker_id], worker.heartbeat_age_s)
    return family


def _restarts(restarts: Mapping[str, int]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "inspector_restarts", "Processes that `inspector up` started again.", labels=["child"]
    )
    for child, count in restarts.items():
        family.add_metric([child], count)
    yield family


def _depths(depths: QueueDepths | None) -> Iterator[Metric]:
    """Nothing, not 0, while SQS does not answer."""
    if depths is None:
        return
    family = GaugeMetricFamily(
        "inspector_queue_messages", "About how many messages there are.", labels=["state"]
    )
    family.add_metric(["waiting"], depths.visible)
    family.add_metric(["in_flight"], depths.in_flight)
    family.add_metric(["dead_letters"], depths.dead)
    yield family


def _index(found: IndexSize | None) -> Iterator[Metric]:
    if found is None:
        return
    yield _gauge("inspector_index_contents", "Contents known, about.", found.contents)
    yield _gauge("inspector_index_landmarks", "Landmarks in the index, about.", found.landmarks)
    yield _gauge("inspector_index_bytes", "Size of the index of landmarks.", found.landmark_bytes)
    yield _gauge("inspector_database_bytes", "Size of the whole database.", found.database_bytes)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=float(value))
