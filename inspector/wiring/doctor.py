"""A check-up with real parts: which examinations there are, and what each of them works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.errors import DatabaseUnavailable
from inspector.ops import examinations
from inspector.ops.checkup import Check, Report
from inspector.ops.examine import Examination, examine
from inspector.settings import Settings
from inspector.stack import check_ffmpeg, crash_looping, embedded_postgres_url
from inspector.store import vitals
from inspector.wiring.adapters import check_s3, make_database
from inspector.wiring.bootstrap import make_probe

_READ_TIMEOUT_S: Final = 1.5  # a silent S3 is asked up to four times
_PROGRAMS_S: Final = 15.0  # a busy machine loads ffmpeg's two hundred libraries for the first time
_PROBE_S: Final = 7.0
_PROBE_DEADLINE_S: Final = 9.0

_DATABASE_REMEDY: Final = (
    "start PostgreSQL (`inspector up` brings its own), or set DATABASE_URL to one that runs and lets us in"
)
_STORAGE_REMEDY: Final = "start the stack, or check AWS_ENDPOINT_URL, the credentials and the network"
#: What others lean on, by the errors that tell of it.
_DATABASE: Final = ((DatabaseUnavailable, "database"),)
_ROUND_TRIP_REMEDY: Final = (
    "uploads are found by the sweep only, minutes later: see the rows of S3 and SQS; `inspector bootstrap` "
    "makes what is missing"
)


def check_up(settings: Settings, web: examinations.Web | None, *, probe: bool = True) -> Report:
    """Look at everything, in seconds. web: None if it runs elsewhere.  probe: send an object through, too."""
    return examine(list(examinations_of(settings, web, probe=probe)))


def examinations_of(
    settings: Settings, web: examinations.Web | None, *, probe: bool = True
) -> Iterator[Examination]:
    """Everything that is looked at, in the order in which people read it."""
    install = "install ffmpeg and ffprobe 5.1 or newer: `sudo apt-get install ffmpeg`"
    machine = "make the folder writable, or point INSPECTOR_SCRATCH_DIR elsewhere"
    sandbox = "make bubblewrap work, or set INSPECTOR_SANDBOX=auto; see docs/security.md, hostile media"
    serve = "start it: `inspector serve`, or `inspector up` on one machine"
    yield Examination(
        examinations.FFMPEG, partial(examinations.look_at_ffmpeg, check_ffmpeg), install, _PROGRAMS_S
    )
    yield Examination(
        examinations.SANDBOX, partial(examinations.look_at_sandbox, settings), sandbox, _PROGRAMS_S
    )
    yield Examination(examinations.SCRATCH, partial(examinations.look_at_scratch, settings), machine)
    yield Examination(examinations.DATABASE, partial(_look_at_database, settings), _DATABASE_REMEDY)
    yield Examination(examinations.STORAGE, partial(_look_at_storage, settings), _STORAGE_REMEDY)
    if probe:
        trip = partial(_round_trip, settings)
        yield Examination(
            examinations.ROUND_TRIP, trip, _ROUND_TRIP_REMEDY, _PROBE_DEADLINE_S, leans_on=_DATABASE
        )
    if web is not None:
        look = partial(_look_at_web, settings, web)
        yield Examination(examinations.WEB, look, serve, leans_on=_DATABASE)
    children = partial(examinations.look_at_children, partial(crash_looping, settings))
    yield Examination(examinations.CHILDREN, children, "read the log of `inspector up`")


def _look_at_database(settings: Settings) -> Iterator[Check]:
    with closing(make_database(settings, pool_size=1)) as db:
        yield from examinations.look_at_database(db, settings, _disk_of_database(settings))


def _look_at_storage(settings: Settings) -> Iterator[Check]:
    yield from examinations.look_at_storage(*_make_storage(settings), settings)


def _make_storage(settings: Settings) -> tuple[Bucket, Queue]:
    """Adapters that wait for nobody long. Raises ConfigError if neither AWS nor an endpoint is named."""
    check_s3(settings)
    s3 = make_s3(settings, read_timeout_s=_READ_TIMEOUT_S)
    sqs = make_sqs(settings, read_timeout_s=_READ_TIMEOUT_S)
    bucket = Bucket(s3, settings.bucket, make_signer(settings))
    return bucket, Queue(sqs, settings.queue, settings.dead_letter_queue)


def _round_trip(settings: Settings) -> Iterator[Check]:
    bucket, queue = _make_storage(settings)
    with closing(make_database(settings, pool_size=1)) as db:
        yield from examinations.look_at_round_trip(
            bucket, make_probe(settings, db, bucket, queue, timeout_s=_PROBE_S)
        )


def _look_at_web(settings: Settings, web: examinations.Web) -> Iterator[Check]:
    def newest_change() -> tuple[str, int] | None:
        with closing(make_database(settings, pool_size=1)) as db, db.begin() as tx:
            return vitals.newest_change(tx, settings.bucket)

    yield from examinations.look_at_web(web, newest_change)


def _disk_of_database(settings: Settings) -> Path | None:
    """The folder of the embedded PostgreSQL; None for any other, whose disk is not ours to see."""
    url = settings.database_url
    embedded = url is not None and url.get_secret_value() == embedded_postgres_url(settings.data_dir)
    return settings.data_dir if embedded else None
