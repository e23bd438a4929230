"""`/system`: who works, what waits, what went wrong, and by which settings."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, redirect
from werkzeug.wrappers import Response as AnyResponse

from inspector.api.pages.behind import Behind, page
from inspector.aws.queue import QueueDepths
from inspector.build import this_build
from inspector.configuration import HIDDEN, settings_document
from inspector.errors import QueueUnavailable
from inspector.model import State
from inspector.settings import Settings

_TROUBLES: Final = 12


class SystemView:
    """The page of the whole."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    def show(self) -> Response:
        """`GET /system`."""
        glance = self._behind.glance
        overview = glance.overview()
        alive = glance.alive(overview)
        hours = self._behind.source.hours()
        return page(
            "system.html",
            overview=overview,
            alive={worker.worker_id for worker in alive},
            depths=self._depths(),
            hours=hours,
            most=max([1, *(hour.done + hour.rejected + hour.failed for hour in hours)]),
            troubles=self._behind.source.troubles(_TROUBLES),
            failed=overview.jobs.get(State.FAILED, 0),
            settings=said_settings(self._behind.settings),
            build=this_build(),
        )

    def redrive(self) -> AnyResponse:
        """`POST /system/redrive`: inspect again all that failed, then back to the page."""
        self._behind.source.redrive()
        self._behind.glance.forget()
        return redirect("/system", 303)

    def _depths(self) -> QueueDepths | None:
        """None if the queues cannot be asked."""
        if self._behind.queue is None:
            return None
        try:
            return self._behind.queue.depths()
        except QueueUnavailable:
            return None


def said_settings(settings: Settings) -> list[tuple[str, str, str, bool]]:
    """(name, value, meaning, whether it was set) of every setting; of secrets only whether they are set."""
    fields = type(settings).model_fields
    return [
        (
            f"INSPECTOR_{name.upper()}",
            _said(value),
            fields[name].description or "",
            name in settings.model_fields_set,
        )
        for name, value in settings_document(settings).items()
    ]


def _said(value: Any) -> str:
    """A value of the document, for people."""
    if value is None:
        return ""
    if value == HIDDEN:
        return "set, not shown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)
