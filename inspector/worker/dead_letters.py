"""Dead letters: failed jobs are announced in the dead-letter queue, so that redriving it repeats them."""

from __future__ import annotations

import structlog

from inspector import failpoints
from inspector.aws.queue import Queue
from inspector.events import redrive_body
from inspector.settings import Settings
from inspector.store import Database, jobs

log = structlog.get_logger(__name__)


class DeadLetters:
    """Fails the jobs whose attempts are used up, and sends what has failed to the dead-letter queue."""

    def __init__(self, db: Database, queue: Queue, settings: Settings) -> None:
        self._db = db
        self._queue = queue
        self._settings = settings

    def run_once(self) -> float:
        """Raises QueueUnavailable or DatabaseUnavailable; nothing is forgotten then.

        A letter is marked as sent in the transaction that sends it: it may be sent twice, never not at all.
        """
        with self._db.begin() as tx:
            spent = jobs.fail_exhausted(tx, max_attempts=self._settings.max_attempts)
        if spent:
            log.warning("jobs_exhausted", jobs=spent)
        with self._db.begin() as tx:
            for letter in jobs.undelivered(tx):
                self._queue.dead_letter(
                    redrive_body(letter.bucket, letter.key, letter.error),
                    letter.error,
                    attributes={"key": letter.key},
                )
                failpoints.reach("lettered")
                log.warning("job_dead_lettered", key=letter.key, error=letter.error)
        return self._settings.idle_poll_s
