"""One trace for each version of an object, whoever works at it; nothing at all where it is not asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inspector import tracing
from inspector.errors import ConfigError
from inspector.settings import Settings
from inspector.worker.inspect import timed
from tests.services import settings_for_test

ON = settings_for_test(otel=True)
VIDEO = ("videos", "a.mp4", "etag")


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What was traced; afterwards tracing is off again."""
    monkeypatch.setattr(tracing, "_tracer", None)
    exporter = InMemorySpanExporter()
    tracing.configure_tracing(ON, "a worker", processor=SimpleSpanProcessor(exporter))
    return exporter


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def test_what_several_processes_do_about_a_video_is_one_trace(exporter: InMemorySpanExporter) -> None:
    with tracing.later_span("attempt", *VIDEO, attempt=1, worker="w1"), timed("decode"):
        pass
    tracing.configure_tracing(ON, "another worker", processor=SimpleSpanProcessor(exporter))
    with tracing.first_span("video", *VIDEO):
        pass
    decode, attempt, video = exporter.get_finished_spans()
    assert [span.name for span in (decode, attempt, video)] == ["decode", "attempt", "video"]
    assert len({ids(span)[0] for span in (decode, attempt, video)}) == 1
    assert video.parent is None
    assert attempt.parent is not None
    assert decode.parent is not None
    assert attempt.parent.span_id == ids(video)[1]
    assert decode.parent.span_id == ids(attempt)[1]
    assert dict(attempt.attributes or {}) == {
        "inspector.key": "a.mp4",
        "inspector.attempt": 1,
        "inspector.worker": "w1",
    }
    assert attempt.resource.attributes["service.name"] == "a worker"


@pytest.mark.parametrize(
    "other", [("videos", "a.mp4", "other"), ("videos", "b.mp4", "etag"), ("x", "a.mp4", "etag")]
)
def test_another_object_is_another_trace(exporter: InMemorySpanExporter, other: tuple[str, str, str]) -> None:
    for video in (VIDEO, other):
        with tracing.first_span("video", *video):
            pass
    one, two = exporter.get_finished_spans()
    assert ids(one)[0] != ids(two)[0]
    assert ids(one)[1] != ids(two)[1]


def test_an_error_shows_in_the_trace(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ConfigError), tracing.later_span("attempt", *VIDEO), timed("probe"):
        raise ConfigError("oops")
    probe, _ = exporter.get_finished_spans()
    assert probe.status.description == "ConfigError: oops"


def test_switched_off_nothing_is_imported() -> None:
    code = (
        "import sys, inspector.worker.worker, inspector.tracing as t;"
        "t.configure_tracing(__import__('inspector.settings').settings.Settings(_env_file=None), 'w');"
        "[s.__enter__() for s in (t.span('x'), t.first_span('x', 'b', 'k', 'e'))];"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings: Settings = ON
    with pytest.raises(ConfigError, match=r"video-inspector\[otel\]"):
        tracing.configure_tracing(settings, "w")
