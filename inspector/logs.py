"""Logs: structlog and the standard library in one stream, readable on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import re
import sys
import threading
from types import TracebackType
from typing import Final

import structlog

from inspector.build import this_build
from inspector.settings import LogFormat, Settings

log = structlog.get_logger(__name__)

#: What a credential stands behind, and the credential itself: of addresses, of signed ones, of requests.
_CREDENTIALS: Final = (
    re.compile(r"(://[^\s:/@]*:)(?!\d+/)\S+(?=@)"),
    re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+", re.IGNORECASE),
    re.compile(r"(\bBearer\s+)[^\s\"']+", re.IGNORECASE),
    re.compile(r"(\bpassword=)[^\s\"']+", re.IGNORECASE),
)
_HIDDEN: Final = "***"


def configure_logging(settings: Settings) -> None:
    """Send all logs to stderr, without any credential; standard output belongs to results."""
    hidden = (settings.token, settings.session_secret, *(each.secret for each in settings.webhook_endpoints))
    secrets = tuple(value.get_secret_value() for value in hidden if value is not None)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format),
                lambda _logger, _name, text: redacted(str(text), secrets),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    sys.excepthook, threading.excepthook = _log_crash, _log_crash_of_thread
    for chatty in ("botocore", "boto3", "s3transfer", "urllib3", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def log_start(command: str) -> None:
    """Say what starts here: the first line of each command that stays."""
    build = this_build()
    log.info("started", command=command, version=build.version, commit=build.commit, python=build.python)


def _log_crash(kind: type[BaseException], exc: BaseException | None, traceback: TracebackType | None) -> None:
    """What nobody caught goes where all logs go, in their form."""
    if exc is None or issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, exc or kind(), traceback)
    else:
        log.critical("crashed", exc_info=(kind, exc, traceback))


def _log_crash_of_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_type is not SystemExit:
        _log_crash(crash.exc_type, crash.exc_value, crash.exc_traceback)


def _renderers(chosen: LogFormat) -> list[structlog.typing.Processor]:
    readable = chosen is LogFormat.CONSOLE or (chosen is LogFormat.AUTO and sys.stderr.isatty())
    if readable:
        # Not rich's tracebacks: they show variables, and break secrets into lines where nothing finds them.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def redacted(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text without what looks like a credential, and without these secrets, wherever they stand."""
    for pattern in _CREDENTIALS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
