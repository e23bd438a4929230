"""Logs: structlog and the standard library in one stream, readable on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from typing import Final

import structlog

from inspector.settings import LogFormat, Settings

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
    for chatty in ("botocore", "boto3", "s3transfer", "urllib3", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _renderers(chosen: LogFormat) -> list[structlog.typing.Processor]:
    readable = chosen is LogFormat.CONSOLE or (chosen is LogFormat.AUTO and sys.stderr.isatty())
    if readable:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


def redacted(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text without what looks like a credential, and without these secrets, wherever they stand."""
    for pattern in _CREDENTIALS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
