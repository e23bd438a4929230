"""What can go wrong. Each fault strikes at once, and plans in the agenda when its cause goes away again."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tests.acceptance.machine import BUCKET
from tests.chaos.agenda import Agenda
from tests.chaos.house import LEASE_S, SCRATCH_BYTES, House

#: The named steps of a worker, in their order (`inspector.failpoints`).
STEPS: Final = (
    *("received", "looked", "ingested", "claimed", "download", "download-done", "probe", "probe-done"),
    *("essence", "essence-done", "decode", "checkpoint", "checkpoint-done", "decode-done"),
    *("fingerprint", "fingerprint-done"),
    *("store", "store-done", "search", "search-done", "compare", "compare-done", "swept"),
)
QUEUE: Final = "video-events"
#: Faults that wait at a time: with one at every step nobody would get any further.
MOST_LAID: Final = 5


@dataclass
class Battlefield:
    """What faults have to know, and what has become of them.

    down: services that are away now.  laid: files of faults that wait for somebody, and their names.
    struck: how often, by name.  on_kill: told of a process that will do nothing more.  on_back: of a service
    that is there again.
    """

    house: House
    rng: random.Random
    agenda: Agenda
    keys: list[str]
    down: set[str] = field(default_factory=set)
    laid: dict[Path, str] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    on_kill: Callable[[int], None] = lambda pid: None
    on_back: Callable[[str], None] = lambda service: None

    def strike(self, name: str) -> None:
        if WEIGHTS[name][0](self):
            self.struck[name] += 1

    def lay(self, place: Path, name: str, fault: str) -> bool:
        """Lay a fault for the first who comes by; it has not struck yet."""
        if place not in self.laid and len(self.laid) < MOST_LAID:
            place.write_text(fault)
            self.laid[place] = name
        return False

    def collect(self) -> None:
        """Count the laid faults that have struck."""
        for place in [place for place in self.laid if not place.exists()]:
            self.struck[self.laid.pop(place)] += 1


Fault = Callable[[Battlefield], bool]  # whether it could strike


# ---------------------------------------------------------------- processes


def kill_worker(field: Battlefield) -> bool:
    return _signal_one(field, field.house.workers(), signal.SIGKILL)


def kill_ffmpeg(field: Battlefield) -> bool:
    """ffmpeg or ffprobe is shot, as by the OOM killer."""
    found = [pid for pid, c in field.house.machine.processes().items() if "/ff" in c.split(" ")[0]]
    return _signal_one(field, found, signal.SIGKILL)


def freeze_worker(field: Battlefield) -> bool:
    """A worker stands still until its lease has run out, and then goes on as if nothing had been."""
    pids = field.house.workers()
    if not pids:
        return False
    pid = field.rng.choice(pids)
    if not _send(pid, signal.SIGSTOP):
        return False
    field.agenda.after(LEASE_S * 1.3, partial(_send, pid, signal.SIGCONT))
    return True


def hang_worker(field: Battlefield) -> bool:
    """A worker stands still for good: somebody has to notice."""
    return _signal_one(field, field.house.workers(), signal.SIGSTOP)


def kill_web(field: Battlefield) -> bool:
    return _signal_one(field, field.house.machine.find("-m inspector serve"), signal.SIGKILL)


def stop_everything(field: Battlefield) -> bool:
    """SIGTERM to the inspector in mid-work, and a start."""
    return _restart(field, signal.SIGTERM)


def kill_supervisor(field: Battlefield) -> bool:
    """SIGKILL to the supervisor: its children must not outlive it."""
    return _restart(field, signal.SIGKILL)


def kill_at_a_step(field: Battlefield) -> bool:
    step = field.rng.choice(STEPS)
    return field.lay(field.house.faults / step, "worker killed at a named step", "kill")


def break_a_heart(field: Battlefield) -> bool:
    """The heartbeat's thread dies of a bug."""
    return field.lay(field.house.faults / "beat", "heartbeat thread broken", "raise")


def starve_ffmpeg(field: Battlefield) -> bool:
    """The next ffmpeg starts, and then writes nothing."""
    return field.lay(field.house.loris, "ffmpeg that writes nothing", "")


# ---------------------------------------------------------------- services


def stop_postgres(field: Battlefield) -> bool:
    def start() -> None:
        field.house.start_postgres()
        _back(field, "postgres")

    if not _take_down(field, "postgres"):
        return False
    field.house.stop_postgres(field.rng.choice((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)))
    field.agenda.after(field.rng.uniform(0.2, 4), start)
    return True


def kill_s3(field: Battlefield) -> bool:
    """S3 and SQS are killed, and forget queues and notifications; sometimes nobody sets them up again."""

    def start() -> None:
        field.house.start_s3()
        if field.rng.random() < 0.5:
            field.house.command("bootstrap")
        _back(field, "aws")

    if not _take_down(field, "aws"):
        return False
    field.house.kill_s3()
    field.agenda.after(field.rng.uniform(0.2, 4), start)
    return True


def empty_s3(field: Battlefield) -> bool:
    """The emulator comes back with an empty bucket, for longer than a sweep."""

    def remember() -> None:
        field.house.kill_s3()
        field.house.start_s3()
        field.house.command("bootstrap")
        _back(field, "aws")

    if not _take_down(field, "aws"):
        return False
    field.house.kill_s3()
    field.house.start_s3(empty=True)
    field.agenda.after(8, remember)
    return True


# ---------------------------------------------------------------- connections


def cut_connections(field: Battlefield) -> bool:
    proxy = field.rng.choice(list(field.house.proxies.values()))
    proxy.cut()
    return proxy.connections > 0


def slow_connections(field: Battlefield) -> bool:
    proxy = field.rng.choice(list(field.house.proxies.values()))
    if proxy.delay_s:
        return False
    proxy.delay_s = field.rng.uniform(0.05, 0.4)
    field.agenda.after(3, partial(setattr, proxy, "delay_s", 0.0))
    return True


def swallow_connections(field: Battlefield) -> bool:
    """What is connected now never hears anything again."""
    proxy = field.rng.choice(list(field.house.proxies.values()))
    proxy.swallow()
    return proxy.connections > 0


def refuse_connections(field: Battlefield) -> bool:
    proxy = field.rng.choice(list(field.house.proxies.values()))
    if proxy.refusing:
        return False
    proxy.refusing = True
    proxy.cut()
    field.agenda.after(field.rng.uniform(0.5, 4), partial(setattr, proxy, "refusing", False))
    return True


# ---------------------------------------------------------------- disk


def fill_disk(field: Battlefield) -> bool:
    """The scratch disk is full."""
    filler = field.house.scratch / "filler"
    if not field.house.has_small_disk or filler.exists():
        return False
    with suppress(OSError), filler.open("wb") as file:
        file.write(bytes(SCRATCH_BYTES))
    field.agenda.after(field.rng.uniform(1, 4), partial(filler.unlink, missing_ok=True))
    return True


# ---------------------------------------------------------------- notifications


def repeat_notifications(field: Battlefield) -> bool:
    """Old events come again, in any order, some of them as if they were new."""
    if "aws" in field.down or not field.keys:
        return False
    records = [_record(field, field.rng.choice(field.keys)) for _ in range(field.rng.randint(2, 8))]
    return _try(lambda: _sqs(field).send_message(
        QueueUrl=_sqs(field).get_queue_url(QueueName=QUEUE)["QueueUrl"],
        MessageBody=json.dumps({"Records": records}),
    ))  # fmt: skip


def drop_notifications(field: Battlefield) -> bool:
    """Nothing tells of what is put in the next seconds: the rule is gone, and then it is back."""
    s3 = field.house.s3

    def restore() -> None:
        if "aws" not in field.down:
            _try(lambda: s3.put_bucket_notification_configuration(
                Bucket=BUCKET, NotificationConfiguration=rule))  # fmt: skip

    if "aws" in field.down:
        return False
    rule: dict[str, Any] = {}

    def remove() -> None:
        rule.update(s3.get_bucket_notification_configuration(Bucket=BUCKET))
        rule.pop("ResponseMetadata", None)
        s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})

    if not _try(remove) or not rule:
        return False
    field.agenda.after(3, restore)
    return True


def _record(field: Battlefield, key: str) -> dict[str, Any]:
    name = field.rng.choice(("ObjectCreated:Put", "ObjectRemoved:Delete"))
    order = {"sequencer": "01"} if field.rng.random() < 0.5 else {}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": quote_plus(key), **order}},
    }


def _sqs(field: Battlefield) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{field.house.s3_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


# ---------------------------------------------------------------- what they share


def _signal_one(field: Battlefield, pids: list[int], signum: signal.Signals) -> bool:
    if not pids:
        return False
    pid = field.rng.choice(pids)
    field.on_kill(pid)
    return _send(pid, signum)


def _send(pid: int, signum: signal.Signals) -> bool:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def _restart(field: Battlefield, signum: signal.Signals) -> bool:
    if not field.house.inspector_runs():
        return False
    field.house.stop_inspector(signum)
    field.house.start_inspector()
    return True


def _take_down(field: Battlefield, service: str) -> bool:
    if service in field.down:
        return False
    field.down.add(service)
    return True


def _back(field: Battlefield, service: str) -> None:
    field.down.discard(service)
    field.on_back(service)


def _try(action: Callable[[], object]) -> bool:
    try:
        action()
    except (BotoCoreError, ClientError):
        return False
    return True


#: How often each strikes, relative to the others.
WEIGHTS: Final[dict[str, tuple[Fault, float]]] = {
    "worker killed": (kill_worker, 3),
    "worker killed at a named step": (kill_at_a_step, 5),
    "worker frozen beyond its lease": (freeze_worker, 2),
    "worker hung for good": (hang_worker, 0.6),
    "heartbeat thread broken": (break_a_heart, 0.6),
    "ffmpeg killed": (kill_ffmpeg, 10),
    "ffmpeg that writes nothing": (starve_ffmpeg, 2),
    "web killed": (kill_web, 1),
    "everything stopped and started": (stop_everything, 0.3),
    "supervisor killed": (kill_supervisor, 0.2),
    "PostgreSQL stopped": (stop_postgres, 1.5),
    "S3 and SQS killed, queues lost": (kill_s3, 1.2),
    "bucket forgotten": (empty_s3, 0.25),
    "connections cut": (cut_connections, 8),
    "connections slowed": (slow_connections, 5),
    "connections swallowed": (swallow_connections, 1.5),
    "connections refused": (refuse_connections, 3),
    "scratch disk full": (fill_disk, 4),
    "notifications repeated": (repeat_notifications, 8),
    "notifications dropped": (drop_notifications, 4),
}
