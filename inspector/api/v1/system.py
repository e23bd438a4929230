"""`/api/v1/system`: workers, jobs, queues, what went wrong lately, and the settings in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.documents import error_document
from inspector.api.glance import Glance
from inspector.api.ports import StatusSource
from inspector.api.problems import Problem
from inspector.api.recently import DEPTHS_AGE_S, Recently
from inspector.api.v1 import models
from inspector.api.v1.answers import answer, as_view
from inspector.aws.queue import QueueDepths
from inspector.configuration import settings_document
from inspector.errors import QueueUnavailable, told
from inspector.model import WorkerStatus
from inspector.settings import Settings
from inspector.store import Database, requeue, throughput

TAG: Final = Tag(name="system", description="How the inspector itself is doing.")
RECENT_ERRORS: Final = 20

log = structlog.get_logger(__name__)


class SystemViews:
    """The views of the whole. ask_depths: how full the queues are; may raise QueueUnavailable."""

    def __init__(
        self,
        db: Database,
        statuses: StatusSource,
        glance: Glance,
        ask_depths: Callable[[], QueueDepths],
        settings: Settings,
    ) -> None:
        self._db = db
        self._statuses = statuses
        self._glance = glance
        self._depths = Recently(ask_depths, DEPTHS_AGE_S)
        self._settings = settings

    def add_to(self, api: APIBlueprint) -> None:
        tags = [TAG]
        api.get("/system", tags=tags, responses={200: models.System})(as_view(self.get_system))
        api.get("/system/errors", tags=tags, responses={200: models.Errors})(as_view(self.list_errors))
        api.get("/system/settings", tags=tags, responses={200: models.InForce})(as_view(self.get_settings))
        api.post("/dead-letters/redrive", tags=tags, responses={202: models.Requeued})(as_view(self.redrive))

    def get_system(self) -> Response:
        """Get the state of workers, jobs and queues"""
        overview = self._glance.overview()
        alive = {worker.worker_id for worker in self._glance.alive(overview)}
        with self._db.begin() as tx:
            pace = throughput.measure(tx, self._settings.bucket)
        return answer(
            models.System(
                jobs={state: overview.jobs.get(state, 0) for state in throughput.STORED},
                oldest_queued_s=overview.oldest_queued_s,
                workers=[_worker(worker, worker.worker_id in alive) for worker in overview.workers],
                queue=self._queue(),
                sweep=models.Sweep(age_s=overview.sweep_age_s, blocked=overview.sweep_blocked),
                throughput=models.Throughput.model_validate(pace),
            )
        )

    def list_errors(self) -> Response:
        """List what went wrong lately

        The videos that failed or were rejected last, at most 20; the list of videos knows all of them.
        """
        with self._db.begin() as tx:
            ids = throughput.last_errors(tx, self._settings.bucket, limit=RECENT_ERRORS)
        found = {status.video_id: status for status in self._statuses.by_ids(ids)}
        return answer(
            models.Errors(
                errors=[
                    models.RecentError(
                        video=models.OtherVideo(id=i, key=status.key, bucket=status.bucket),
                        state=status.state,
                        at=status.finished_at,
                        error=models.Fault.model_validate(error),
                    )
                    for i in ids
                    if (status := found.get(i)) and (error := error_document(status))
                ]
            )
        )

    def get_settings(self) -> Response:
        """List the settings in force

        Of the web; secrets are shown as `***`.
        """
        return answer(models.InForce(settings=settings_document(self._settings)))

    def redrive(self, body: models.RedriveBody) -> Response:
        """Inspect again what has failed

        All failed videos, or those that are named. Their letters in the dead-letter queue ask for nothing
        more then.
        """
        with self._db.begin() as tx:
            requeued = requeue.redrive(tx, self._settings.bucket, body.video_ids)
        if body.video_ids and not requeued:
            raise Problem(409, "conflict", "None of these videos has failed.")
        return answer(models.Requeued(requeued=requeued), 202)

    def _queue(self) -> models.QueueState:
        try:
            depths = self._depths.get()
        except QueueUnavailable as exc:
            log.warning("queue_not_asked", problem=str(exc))
            return models.QueueState(error=told(exc))
        return models.QueueState(waiting=depths.visible, in_flight=depths.in_flight, dead=depths.dead)


def _worker(worker: WorkerStatus, alive: bool) -> models.WorkerState:
    return models.WorkerState(
        id=worker.worker_id,
        host=worker.host,
        pid=worker.pid,
        doing=worker.doing or None,
        heartbeat_age_s=round(worker.heartbeat_age_s, 1),
        queue_reached=not worker.breaker_open,
        alive=alive,
    )
