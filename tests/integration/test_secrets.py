"""With every service away, neither logs nor answers say a credential, or where things are."""

from __future__ import annotations

import http.client
import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.services import ROOT, free_port, running, wait_until

PASSWORD, AWS_KEY, AWS_SECRET, TOKEN = (
    "pass-word-0001",
    "AKIAXXXXXXXXEXAMPLE1",
    "aws-secret-0002",
    "token-token-0003",
)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Settings whose services do not answer."""
    return {
        "DATABASE_URL": f"postgresql://someone:{PASSWORD}@127.0.0.1:{free_port()}/films",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "AWS_ACCESS_KEY_ID": AWS_KEY,
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "INSPECTOR_TOKEN": TOKEN,
        "INSPECTOR_PORT": str(free_port()),
        "INSPECTOR_DATA_DIR": str(tmp_path / "data"),
        "INSPECTOR_WORKER_METRICS_PORT": "0",
        "INSPECTOR_LOG_LEVEL": "debug",
        "PYTHONPATH": str(ROOT),
    }


def ask(port: int, path: str, token: str | None) -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return f"{answer.status} {answer.getheaders()} {answer.read().decode()}"


def answers(port: int) -> Iterator[str]:
    for path in (
        "/readyz",
        "/livez",
        "/",
        "/status",
        "/status/a.mp4",
        "/system",
        "/metrics",
        "/build-info",
        "/x",
    ):
        for token in (TOKEN, TOKEN + "x", None):
            yield ask(port, path, token)


def test_a_web_server_without_services_tells_nothing(env: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    port = int(env["INSPECTOR_PORT"])
    with running((sys.executable, "-m", "inspector", "serve"), env, log) as process:
        wait_until(lambda: _listens(port), process)
        said = list(answers(port))
    assert any(answer.startswith("503") for answer in said)
    text = log.read_text()
    assert "request_unanswerable" in text, "the log says why"
    for secret in (PASSWORD, AWS_KEY, AWS_SECRET, TOKEN):
        assert secret not in text
        assert not [answer for answer in said if secret in answer]
    database = env["DATABASE_URL"].rpartition(":")[2].partition("/")[0]
    for internal in (database, "someone", "psycopg2", "Traceback", str(tmp_path), os.fspath(ROOT)):
        assert not [answer for answer in said if internal in answer]


def test_a_worker_without_services_tells_no_credential(env: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running((sys.executable, "-m", "inspector", "work", "--workers", "1"), env, log) as process:
        wait_until(lambda: "connection to server" in log.read_text(), process)
    text = log.read_text()
    assert not [secret for secret in (PASSWORD, AWS_KEY, AWS_SECRET, TOKEN) if secret in text]


@pytest.mark.parametrize(
    "url", ["postgresql://u:se@cret:0001@h/db", "postgresql://u:p@h:se-cret/db", "se-cret"]
)
def test_an_address_that_cannot_be_read_is_not_quoted(env: dict[str, str], tmp_path: Path, url: str) -> None:
    log = tmp_path / "log"
    with running((sys.executable, "-m", "inspector", "sweep"), {**env, "DATABASE_URL": url}, log) as process:
        assert process.wait(60) == 1
    refusal = re.fullmatch(r"inspector: (settings: )?DATABASE_URL .* address of a .*\n", log.read_text())
    assert refusal is not None
    assert "cret" not in refusal[0]


def _listens(port: int) -> bool:
    try:
        return ask(port, "/livez", None).startswith("200")
    except OSError:
        return False
