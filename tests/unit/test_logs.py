"""Logs: one stream, and no credential in it."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from inspector import __version__
from inspector.logs import configure_logging, log_start, redacted
from inspector.settings import LogFormat
from tests.services import settings_for_test

SECRET = "sesame-open-up-0123"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://user:{SECRET}@host/db",
        f"postgresql://user:a@b/{SECRET}@host/db and more",
        f"https://s3/videos/a?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}&x=1",
        f"Authorization: Bearer {SECRET}",
        f"{{'authorization': 'bearer {SECRET}'}}",
        f"dsn: host=h password={SECRET} user=u",
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:5001/status/a@b.mp4", "a@b: c", "the token was wrong", "postgresql://user@host/db"],
)
def test_nothing_else_is(text: str) -> None:
    assert redacted(text) == text


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Logging is the whole process's: give it back as it was."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook
    yield
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


@pytest.mark.expects_error_log
@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_our_own_secrets_are_hidden_wherever_they_stand(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging(settings_for_test(token=SecretStr(SECRET), log_format=log_format))
    log = structlog.get_logger("test")
    try:
        raise ValueError(f"odd: {SECRET}")
    except ValueError:
        log.exception("it_broke", detail={"deep": [SECRET]})
    logging.getLogger("foreign").warning("said %s", SECRET)
    said = capsys.readouterr().err
    assert said.count("***") >= 3
    assert "ValueError" in said
    assert SECRET not in said


@pytest.mark.expects_error_log
@pytest.mark.usefixtures("own_logging")
def test_in_a_container_every_line_is_json_whoever_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings_for_test())
    log_start("work")
    logging.getLogger("foreign").warning("said %s", "so")
    crashing = threading.Thread(target=lambda: 1 / 0)
    crashing.start()
    crashing.join()
    try:
        raise ValueError("nobody caught it")
    except ValueError as exc:
        logging.getLogger("foreign").exception("it broke")
        sys.excepthook(ValueError, exc, exc.__traceback__)
    started, foreign, thread, caught, crash = map(json.loads, capsys.readouterr().err.splitlines())
    assert (started["event"], started["command"], started["version"]) == ("started", "work", __version__)
    assert (foreign["event"], foreign["level"]) == ("said so", "warning")
    assert "ZeroDivisionError" in thread["exception"]
    assert (caught["event"], crash["event"], crash["level"]) == ("it broke", "crashed", "critical")
    assert all("nobody caught it" in line["exception"] for line in (caught, crash))


@pytest.mark.expects_error_log
@pytest.mark.usefixtures("own_logging")
def test_a_readable_traceback_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings_for_test(log_format=LogFormat.CONSOLE))
    variable = "sesame"
    try:
        raise ValueError(len(variable))
    except ValueError:
        structlog.get_logger("test").exception("it_broke")
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert "sesame" not in said
