"""Traces as a collector receives them: what ingest and a worker of another process did is one trace."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from inspector import tracing
from inspector.store import Database
from inspector.wiring.bootstrap import run_bootstrap
from inspector.worker.ingest import Ingest, Outcome
from tests.film import SHOTS, cut_together
from tests.services import Endpoint, places_at, running, wait_until


@dataclass
class Collector:
    """An OTLP collector that keeps what it gets, and the service that sent it."""

    url: str
    spans: list[tuple[str, Span]] = field(default_factory=list)

    def named(self, name: str) -> list[tuple[str, Span]]:
        return [each for each in self.spans if each[1].name == name]

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for one in request.resource_spans:
            about = {each.key: each.value.string_value for each in one.resource.attributes}
            sender = about["service.name"]
            self.spans += [(sender, span) for scope in one.scope_spans for span in scope.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return cut_together(tmp_path / "film.mp4", SHOTS[:2])


def test_what_two_processes_do_about_a_video_is_one_trace(
    ministack: Endpoint, database: Database, tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = places_at(
        ministack,
        tmp_path,
        database_url=database.url,
        poll_wait_s=1,
        worker_metrics_port=0,
        shutdown_grace_s=5,
        otel=True,
    )
    assert run_bootstrap(places.settings).ok
    with collecting() as collector:
        monkeypatch.setattr(tracing, "_tracer", None)  # off again after this test
        to_collector = SimpleSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces"))
        tracing.configure_tracing(places.settings, "this-test", processor=to_collector)
        places.bucket.upload(film, "film.mp4")
        assert Ingest(database, places.bucket, places.settings).look_at("film.mp4") is Outcome.QUEUED
        to_collector.shutdown()
        environment = {
            **places.settings.as_environment(),
            "INSPECTOR_DATABASE_URL": database.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        argv = (sys.executable, "-m", "inspector", "work", "--workers", "1")
        with running(argv, environment, tmp_path / "work.log") as worker:
            wait_until(lambda: collector.named("attempt"), worker)
    ((one_process, video),) = collector.named("video")
    ((other_process, attempt),) = collector.named("attempt")
    assert (one_process, other_process) == ("this-test", "inspector-worker")
    assert {span.trace_id for _, span in collector.spans} == {video.trace_id}
    assert (video.parent_span_id, attempt.parent_span_id) == (b"", video.span_id)
    below = {span.name for _, span in collector.spans if span.parent_span_id == attempt.span_id}
    assert below >= {"download", "probe", "decode", "fingerprint", "search", "store"}
