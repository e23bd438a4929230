"""Protection from scale-in on Amazon ECS: a task that has worked on a video for a while is spared.

A job that has only begun is not protected. To repeat it costs little, and a task that is protected without a
gap would hold up every deployment for as long as there are jobs. So the gap comes with each job.

Source: Amazon ECS Developer Guide, "Protect your Amazon ECS tasks from being terminated by scale-in events".
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0
PROTECT_AFTER_S: Final = 30.0  # what a stop costs at most, the restart of the job apart
EXPIRES_MIN: Final = 60  # should we die without a word; the task then ends anyway
RENEW_AFTER_S: Final = EXPIRES_MIN * 60 / 2
_TIMEOUT_S: Final = 5.0
_PATH: Final = "/task-protection/v1/state"


class Protection:
    """Keeps the protection of our task as the job in work demands. One worker process in a task."""

    def __init__(
        self,
        agent_uri: str,
        job_age_s: Callable[[], float | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """agent_uri: what ECS put into ECS_AGENT_URI.  job_age_s: how long a job has been in work."""
        self._agent_uri = agent_uri
        self._job_age_s = job_age_s
        self._clock = clock
        self._protected = False
        self._renew_at = 0.0

    def run_once(self) -> float:
        """Ask for protection, or end it, where that is due. Returns the seconds until the next look.

        An agent that refuses costs the protection, never the job.
        """
        age_s = self._job_age_s()
        wanted = age_s is not None and age_s >= PROTECT_AFTER_S
        if wanted != self._protected or (wanted and self._clock() >= self._renew_at):
            try:
                self._ask(wanted)
            except (OSError, http.client.HTTPException) as exc:
                log.warning("task_protection_refused", wanted=wanted, error=str(exc))
            else:
                self._protected, self._renew_at = wanted, self._clock() + RENEW_AFTER_S
                log.info("task_protection", protected=wanted)
        return LOOK_EVERY_S

    def _ask(self, protected: bool) -> None:
        """Raises OSError or HTTPException if the agent does not do it."""
        agent = urlsplit(self._agent_uri)
        wanted: dict[str, Any] = {"ProtectionEnabled": protected}
        if protected:
            wanted["ExpiresInMinutes"] = EXPIRES_MIN
        connection = http.client.HTTPConnection(agent.netloc, timeout=_TIMEOUT_S)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("PUT", agent.path.rstrip("/") + _PATH, json.dumps(wanted), headers)
            answer = connection.getresponse()
            said = answer.read(4096).decode(errors="replace")
        finally:
            connection.close()
        if answer.status != http.client.OK or '"protection"' not in said:
            raise OSError(f"the agent answered {answer.status}: {said}")
