"""Traces of OpenTelemetry, where they are asked for: one for each version of an object in the bucket.

The trace's id, and that of its first span, are computed from bucket, key and ETag. So whoever works at a
video, in whatever process and after whatever crash, writes into the same trace, and nothing has to be carried
along. Switched off, as by default, nothing of OpenTelemetry is even imported.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Final

from inspector.build import DISTRIBUTION, this_build
from inspector.errors import ConfigError
from inspector.settings import Settings

_NOTHING: Final = nullcontext()
_first: ContextVar[tuple[int, int] | None] = ContextVar("first", default=None)
_tracer: Any = None


def configure_tracing(settings: Settings, service: str, *, processor: Any = None) -> None:
    """Begin to trace, if the settings say so; where to is told by OpenTelemetry's own variables.

    service: how this process is called.  processor: of the spans, instead of the one that sends them by OTLP.
    Raises ConfigError if the extra `otel` is not installed.
    """
    global _tracer
    if not settings.otel:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        wanted = f"pip install '{DISTRIBUTION}[otel]', or unset INSPECTOR_OTEL"
        raise ConfigError(f"INSPECTOR_OTEL is set, but OpenTelemetry is not installed: {wanted}") from exc
    about = Resource.create({"service.name": service, "service.version": this_build().version})
    provider = TracerProvider(resource=about, id_generator=_make_ids())
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("inspector")


def first_span(name: str, bucket: str, key: str, etag: str) -> AbstractContextManager[Any]:
    """The span with which the trace of this object begins."""
    return _NOTHING if _tracer is None else _First(name, bucket, key, etag)


def later_span(
    name: str, bucket: str, key: str, etag: str, **about: str | int
) -> AbstractContextManager[Any]:
    """A span below the first one, which another process may have written. about: its attributes."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry import trace

    trace_id, span_id = _ids_of(bucket, key, etag)
    first = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(first))
    attributes = {"inspector.key": key, **{f"inspector.{name}": value for name, value in about.items()}}
    span: AbstractContextManager[Any] = _tracer.start_as_current_span(
        name, context=context, attributes=attributes
    )
    return span


def span(name: str) -> AbstractContextManager[Any]:
    """A span below the present one."""
    if _tracer is None:
        return _NOTHING
    below: AbstractContextManager[Any] = _tracer.start_as_current_span(name)
    return below


class _First:
    """Starts a span with ids of our own: they are handed to the generator for as long as it asks."""

    def __init__(self, name: str, bucket: str, key: str, etag: str) -> None:
        self._ids = _ids_of(bucket, key, etag)
        self._name = name
        self._key = key

    def __enter__(self) -> None:
        from opentelemetry.context import Context

        token = _first.set(self._ids)
        try:
            self._span = _tracer.start_span(self._name, Context(), attributes={"inspector.key": self._key})
        finally:
            _first.reset(token)

    def __exit__(self, *_: object) -> None:
        self._span.end()


def _make_ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random, but where the first span of a video is started."""

        def generate_trace_id(self) -> int:
            known = _first.get()
            return known[0] if known else super().generate_trace_id()

        def generate_span_id(self) -> int:
            known = _first.get()
            return known[1] if known else super().generate_span_id()

    return Ids()


def _ids_of(bucket: str, key: str, etag: str) -> tuple[int, int]:
    """The ids of the trace and of its first span: 128 and 64 bits, neither zero."""
    digest = hashlib.sha256("\0".join((bucket, key, etag)).encode()).digest()
    return int.from_bytes(digest[:16]) | 1, int.from_bytes(digest[16:24]) | 1
