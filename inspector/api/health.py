"""`/livez`, `/readyz`, `/metrics`, `/build-info`: is this web process well, and how is the whole doing?

Ready means: the database answers, so we can answer, and no process of the stack beside us is in a crash
loop: such a stack must not pass for one that works. Everything else that may be wrong (no worker, a silent
feeder, an open breaker, a blocked sweep) is a warning, and the answer stays 200: an orchestrator reacts to
"not ready" by taking this process out of service, which would heal none of these and would hide the status
pages just when people need them. Alerts belong on the metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from inspector.api.feeder import Feeder
from inspector.api.glance import Glance
from inspector.api.guard import caller
from inspector.api.scrape import Beside, build_registry
from inspector.build import DISTRIBUTION, this_build
from inspector.errors import DatabaseUnavailable, told
from inspector.model import ALGORITHM, Overview

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. Only a failed vital check makes us not ready."""

    name: str
    ok: bool
    detail: str
    vital: bool = False


class HealthViews:
    """The views for machines that watch machines."""

    def __init__(
        self, glance: Glance, feeder: Feeder, crash_looping: Callable[[], Sequence[str]], beside: Beside
    ) -> None:
        self._glance = glance
        self._feeder = feeder
        self._crash_looping = crash_looping
        self._registry = build_registry(glance, feeder, beside)

    def blueprint(self) -> Blueprint:
        views = Blueprint("health", __name__)
        views.add_url_rule("/livez", view_func=self.livez)
        views.add_url_rule("/readyz", view_func=self.readyz)
        views.add_url_rule("/metrics", view_func=self.metrics)
        views.add_url_rule("/build-info", view_func=self.build_info)
        return views

    def livez(self) -> Response:
        """This process answers; nothing else is asked."""
        return _json({"status": "alive"})

    def readyz(self) -> Response:
        """200 `ready` or `degraded`, or 503 `unready`; with every check.

        Known callers are told its reason too, and our version.
        """
        known = caller().role is not None
        checks = list(self.checks())
        failed = [check for check in checks if not check.ok]
        unready = any(check.vital for check in failed)
        document = {
            "status": "unready" if unready else "degraded" if failed else "ready",
            **({"version": this_build().version} if known else {}),
            "checks": {
                check.name: {"ok": check.ok, **({"detail": check.detail} if known else {})}
                for check in checks
            },
        }
        return _json(document, 503 if unready else 200)

    def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)

    def build_info(self) -> Response:
        """What runs here."""
        return _json(
            {
                "name": DISTRIBUTION,
                "version": this_build().version,
                "commit": this_build().commit or None,
                "algorithm": ALGORITHM,
                "python": this_build().python,
            }
        )

    def checks(self) -> Iterator[Check]:
        """Everything that is looked at, in the order of weight."""
        try:
            self._glance.ping()
            overview = self._glance.overview()
        except DatabaseUnavailable as exc:
            log.warning("not_ready", problem=str(exc))
            yield Check("database", False, f"{told(exc)} The log says more.", vital=True)
        else:
            yield Check("database", True, "answers", vital=True)
            yield from self._checks_of(overview)
        looping = self._crash_looping()
        detail = f"die again and again: {', '.join(looping)}" if looping else "stay up"
        yield Check("children", not looping, detail, vital=True)
        feeder = self._feeder.state
        detail = "hears changes" if feeder.live else "silent: all reads go to the database; the log says why"
        yield Check("feeder", feeder.live, detail)

    def _checks_of(self, overview: Overview) -> Iterator[Check]:
        alive = self._glance.alive(overview)
        yield Check("workers", bool(alive), f"{len(alive)} alive, {len(overview.workers)} known")
        cut_off = [worker.worker_id for worker in alive if worker.breaker_open]
        reach = "reached" if not cut_off else f"cannot be reached by {', '.join(cut_off)}"
        yield Check("queue", not cut_off, f"SQS {reach}")
        blocked = overview.sweep_blocked
        yield Check("sweep", blocked is None, "not blocked" if blocked is None else f"blocked: {blocked}")


def _json(document: dict[str, Any], status: int = 200) -> Response:
    response = Response(json.dumps(document, indent=2) + "\n", status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
