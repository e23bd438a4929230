"""`inspector monitor`: the doctor, again and again, with permission to heal."""

from __future__ import annotations

import click
import structlog

from inspector.cli.doctor import make_web
from inspector.logs import log_start
from inspector.settings import Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack
from inspector.wiring.monitor import monitoring

log = structlog.get_logger(__name__)


@click.command()
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds from one round to the next; with --once: how often cron calls.",
)
@click.option("--once", is_flag=True, help="One round, for cron; the exit code is the doctor's.")
@click.option("--only-watch", is_flag=True, help="Look and log, and heal nothing.")
@click.option("--no-probe", is_flag=True, help="Send no probe objects through bucket and queue.")
@click.option("--no-web", is_flag=True, help="Ask no web server: it runs on another host.")
@click.pass_context
def monitor(
    ctx: click.Context, every_s: float, once: bool, only_watch: bool, no_probe: bool, no_web: bool
) -> None:
    """Look at everything again and again, log what changes, and heal what may be healed.

    It restarts workers that hang on this machine, through their supervisor; puts jobs of dead workers back
    into the queue; and bootstraps what has vanished of bucket and queues. Each is logged as `recovery_taken`,
    and not repeated within ten minutes, nor more than six times an hour. `inspector --monitor` is the same.
    """
    settings: Settings = join_stack(ctx.obj)
    stop = StopFlag()
    stop_on_signals(stop)
    web = None if no_web else make_web(settings)
    with monitoring(settings, web, every_s=every_s, recover=not only_watch, probe=not no_probe) as watcher:
        if once:
            ctx.exit(watcher.run_once().exit_code)
        log_start("monitor")
        while not stop.is_set():
            watcher.run_once()
            stop.wait(every_s)
        log.info("monitor_stopped")
