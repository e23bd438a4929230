"""A user's machine: the installed command in subprocesses, told by its environment, watched from outside.

Nothing here uses the inspector's own code: HTTP is spoken by `http.client`, S3 by plain boto3.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import boto3
from botocore.config import Config

from tests.services import free_port, wait_until

COMMAND: Final = Path(sys.executable).with_name("inspector")
BUCKET: Final = "videos"
PATIENCE_S: Final = 90.0
NOTHING: Final[Mapping[str, str]] = {}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a web server answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Document:
        document: Document = json.loads(self.text)
        return document


@dataclass(frozen=True, slots=True)
class Web:
    """A running web server of the inspector."""

    port: int

    def get(self, path: str, **headers: str) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.request(
                "GET", path, headers={name.replace("_", "-"): v for name, v in headers.items()}
            )
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())

    def answers(self) -> bool:
        try:
            return self.get("/livez").status == 200
        except OSError:
            return False

    def status(self, key: str) -> Document:
        """What `/status/<key>` says; an empty document where it says 404."""
        answer = self.get("/status/" + quote(key, safe="/"))
        assert answer.status in (200, 404), answer
        return answer.json() if answer.status == 200 else {}

    def wait_for(self, key: str, *states: str) -> Document:
        """Wait until the video is in one of these states."""

        def look() -> Document:
            found = self.status(key)
            return found if found.get("status") in states else {}

        return wait_until(look, timeout_s=PATIENCE_S)

    def duplicates(self, key: str, folder: str = "") -> dict[str, str]:
        """The other videos (in this folder) that share material, and the verdicts."""
        found = self.status(key)["duplicates"]
        return {other["key"]: other["verdict"] for other in found if other["key"].startswith(folder)}

    def events(self, key: str) -> Iterator[Document]:
        """The documents of the video's event stream, until the server ends it."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            headers = {"Accept": "text/event-stream"}
            connection.request("GET", "/status/" + quote(key, safe="/"), headers=headers)
            for line in connection.getresponse():
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))


@dataclass(frozen=True)
class S3:
    """Any S3 client at all."""

    url: str
    bucket: str = BUCKET

    @cached_property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}),
        )

    def put(self, key: str, content: bytes | Path) -> None:
        body = content.read_bytes() if isinstance(content, Path) else content
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)


class Machine:
    """A folder, free ports, and an environment that names them; `settings` are further variables."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(mode=0o711)
        self.folder = folder
        self.data_dir = folder / "data"
        self.web = Web(free_port())
        self.s3 = S3(f"http://127.0.0.1:{free_port()}")
        self.env = {
            **_environment_of_nobody(),
            "INSPECTOR_DATA_DIR": str(self.data_dir),
            "INSPECTOR_PORT": str(self.web.port),
            "INSPECTOR_EMBEDDED_S3_PORT": self.s3.url.rpartition(":")[2],
            "INSPECTOR_WORKER_METRICS_PORT": "0",
            **settings,
        }

    def run(
        self, *arguments: str | Path, code: int = 0, env: Mapping[str, str] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and expect its exit code. No user ever sees a traceback."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env={**self.env, **env},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        assert done.returncode == code, done
        return done

    def refuses(self, *arguments: str | Path, **env: str) -> str:
        """Run a command that cannot do its work: exit code 1, and one line that says why."""
        done = self.run(*arguments, code=1, env=env)
        (line,) = done.stderr.splitlines()
        return line

    @contextmanager
    def running(self, *arguments: str, **env: str) -> Iterator[Running]:
        """Run a command for the time of the block; as many as are wanted, side by side."""
        number = len(list(self.folder.glob("*.out")))
        output, errors = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [COMMAND, *arguments],
                env={**self.env, **env},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
            )
        command = Running(process, output, errors)
        try:
            yield command
        finally:
            command.end()
        assert "Traceback" not in command.said, command.said

    @contextmanager
    def up(self, **env: str) -> Iterator[Running]:
        """`inspector up`, ready, for the time of the block."""
        with self.running("up", **env) as up:
            wait_until(lambda: "The inspector is running." in up.output, up.process)
            yield up

    def processes(self) -> dict[int, str]:
        """Every process that works for this machine, and its command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                named = os.fsencode(self.folder) in command + (folder / "environ").read_bytes()
            except OSError:
                continue
            if named:
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def find(self, part: str) -> list[int]:
        """The ids of the processes whose command line has this part."""
        return [pid for pid, command in self.processes().items() if part in command]

    def scratch_files(self) -> list[Path]:
        return list((self.data_dir / "scratch").glob("**/*"))


@dataclass(frozen=True, slots=True)
class Running:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    _output: Path
    _errors: Path

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def said(self) -> str:
        """What it wrote to stderr."""
        return self._errors.read_text()

    def stop(self, signum: signal.Signals = signal.SIGINT) -> int:
        """Send a signal to its process group, as a terminal does. Returns the exit code."""
        os.killpg(self.process.pid, signum)
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """Stop it if it still runs; without mercy if it does not obey."""
        if self.process.poll() is not None:
            return
        try:
            self.stop(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _environment_of_nobody() -> dict[str, str]:
    """Our environment without anybody's settings and credentials."""
    foreign = ("INSPECTOR_", "AWS_", "DATABASE_URL", "LOCALSTACK_HOST")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**clean, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
