"""The embedded S3 and SQS: MiniStack as a child process, on loopback, persistent in the data folder.

After SIGTERM everything survives; after SIGKILL the objects do, but queues and notification rules do not, so
bootstrap runs after every start.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from inspector.errors import BucketUnavailable, ConfigError
from inspector.model import Program
from inspector.settings import Settings
from inspector.stack.preflight import check_data_dir

HOST: Final = "127.0.0.1"
#: It hands messages to polls whose client has died, where they stay until their visibility ends. Measured:
#: with polls of 20 s, a video dropped after a worker was killed was found two minutes later.
LONGEST_POLL_S: Final = 1
START_TIMEOUT_S: Final = 30.0  # 0.6 s is usual; reading back many objects takes longer


def ministack_url(settings: Settings) -> str:
    """Where the embedded S3 and SQS will be reached."""
    return f"http://{HOST}:{settings.embedded_s3_port}"


def ministack_program(settings: Settings) -> Program:
    """The child process; makes its folders. Raises ConfigError if they cannot be made, or it is missing."""
    if find_spec("ministack") is None:
        raise ConfigError("MiniStack is not installed: pip install 'video-inspector[embedded]'")
    root = _root(settings)
    folders = {name: root / name for name in ("objects", "state", "tmp")}
    for folder in folders.values():
        check_data_dir(folder)
    return Program(
        name="ministack",
        argv=(sys.executable, "-m", "ministack"),
        env={
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(settings.embedded_s3_port),
            "SERVICES": "s3,sqs,sts",
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folders["objects"]),
            "STATE_DIR": str(folders["state"]),
            "TMPDIR": str(folders["tmp"]),
            "LOG_LEVEL": "WARNING",
        },
        log_file=_log_file(settings),
    )


def wait_for_ministack(
    settings: Settings, *, alive: Callable[[], bool] = lambda: True, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Wait until it answers. Raises BucketUnavailable if it does not in time, or is no longer `alive`."""

    def look() -> None:
        if not alive():
            raise ConfigError(f"MiniStack ended while it started: see {_log_file(settings)}")
        if not answers(settings.embedded_s3_port):
            raise BucketUnavailable(
                f"MiniStack did not answer at {ministack_url(settings)} in {timeout_s:g} s"
            )

    Retrying(
        retry=retry_if_exception_type(BucketUnavailable),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(timeout_s),
        reraise=True,
    )(look)


def answers(port: int, path: str = "/_ministack/health") -> bool:
    """Whether an emulator on this port of loopback says that it is well."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _root(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "s3"


def _log_file(settings: Settings) -> Path:
    return _root(settings) / "ministack.log"
