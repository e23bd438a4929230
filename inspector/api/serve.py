"""Runs the web application under gunicorn: one worker process with many threads.

One process, because the status board is a memory: two would answer from two. gunicorn's parent replaces the
worker if it dies or hangs, and owns the listening socket meanwhile, so that connections wait instead of
failing.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import Any, Final

import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from inspector.api.app import background
from inspector.api.connections import Worker, drop_stalled
from inspector.errors import ConfigError
from inspector.settings import Settings

GRACE_S: Final = 5  # for requests in flight; streams end by themselves within a second
HANG_S: Final = 60  # a worker whose main loop is silent for so long is replaced
BACKLOG: Final = 256
MAX_REQUEST_LINE: Final = 8190  # gunicorn's own limit; a key of 1,024 bytes takes 3,072 percent-encoded

log = structlog.get_logger(__name__)


def serve(
    settings: Settings,
    app_factory: Callable[[Settings], Flask],
    *,
    read_again: Callable[[], Settings] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then return. For the main thread only.

    app_factory runs in the worker process, after the fork: it may open connections and start threads.
    read_again: the settings as they are now; after SIGHUP a new worker takes over with them, and no
    connection is refused meanwhile. If it raises ConfigError, those from before stay.
    Raises ConfigError if the address cannot be listened on, or the application cannot be built.
    """
    listener = listen(settings.host, settings.port).detach()  # gunicorn closes it
    parent = os.getpid()
    try:
        _Server(listener, settings, app_factory, read_again or (lambda: settings)).run()
    except SystemExit as exc:
        if os.getpid() != parent:
            raise  # the worker ends here: what follows `serve` is the parent's alone
        if exc.code not in (None, 0):
            raise ConfigError("the web server could not start its worker; the log says why") from exc


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError, naming the remedy."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise ConfigError(f"{host} is no address to listen on: {exc.strerror}; set INSPECTOR_HOST") from exc
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        drop_stalled(listener)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise ConfigError(_bind_fault(host, port, exc)) from exc
    return listener


def _bind_fault(host: str, port: int, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or set INSPECTOR_PORT"
    if exc.errno == errno.EACCES:
        return f"port {port} on {host} is not permitted: set INSPECTOR_PORT to 1024 or more"
    return f"cannot listen on {host}, port {port}: {os.strerror(exc.errno or 0)}; set INSPECTOR_HOST"


class _Log(Logger):  # type: ignore[misc]
    """Leaves gunicorn's words to the handlers of the root logger, and its chatter out."""

    def setup(self, cfg: Any) -> None:
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our configuration and nobody else's: no file and no environment variable is read."""

    def __init__(
        self,
        listener: int,
        settings: Settings,
        app_factory: Callable[[Settings], Flask],
        read_again: Callable[[], Settings],
    ) -> None:
        self._listener = listener
        self._settings = settings
        self._app_factory = app_factory
        self._read_again = read_again
        super().__init__()

    def load_config(self) -> None:
        threads = self._settings.web_threads
        settings = {
            "bind": f"fd://{self._listener}",
            "workers": 1,
            "worker_class": Worker,
            "threads": threads,
            "worker_connections": max(1000, 2 * threads),
            "timeout": HANG_S,
            "graceful_timeout": GRACE_S,
            "limit_request_line": MAX_REQUEST_LINE,
            "logger_class": _Log,
            "accesslog": None,
            "control_socket_disable": True,
            "on_reload": self._renew,
            "post_worker_init": _start,
            "worker_exit": _stop,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app_factory(self._settings)

    def _renew(self, _arbiter: object) -> None:
        """In the parent, before the next worker is made."""
        try:
            self._settings = self._read_again()
        except ConfigError as exc:
            log.warning("settings_not_read_again", error=str(exc))


def _start(worker: Worker) -> None:
    """In the worker, once the application is built."""
    living = background(worker.application)
    worker.stop_streams = living.streams.stop
    worker.quick = living.quick.find
    living.start()
    log.info("web_started", pid=os.getpid())


def _stop(_server: object, worker: Worker) -> None:
    """In the worker, at its end; the application is missing if it could not be built."""
    if isinstance(getattr(worker, "application", None), Flask):
        background(worker.application).stop()
        log.info("web_stopped", pid=os.getpid())
