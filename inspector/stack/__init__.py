"""One machine without Docker: S3 and SQS by MiniStack, PostgreSQL from a wheel, and a look before."""

from inspector.stack.ministack import LONGEST_POLL_S, ministack_program, ministack_url, wait_for_ministack
from inspector.stack.note import announce_stack, crash_looping, join_stack, restarts
from inspector.stack.postgres import (
    check_postgres,
    embedded_postgres,
    embedded_postgres_url,
    postgres_program,
)
from inspector.stack.preflight import check_data_dir, check_ffmpeg, check_port, only_stack, preflight

__all__ = [
    "LONGEST_POLL_S",
    "announce_stack",
    "check_data_dir",
    "check_ffmpeg",
    "check_port",
    "check_postgres",
    "crash_looping",
    "embedded_postgres",
    "embedded_postgres_url",
    "join_stack",
    "ministack_program",
    "ministack_url",
    "only_stack",
    "postgres_program",
    "preflight",
    "restarts",
    "wait_for_ministack",
]
