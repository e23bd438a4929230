"""`inspector serve`: the web server; apart from what needs none of its libraries."""

from __future__ import annotations

import click

from inspector.api.serve import serve as serve_web
from inspector.logs import log_start
from inspector.settings import Settings, load_settings
from inspector.stack import join_stack
from inspector.wiring.web import make_app


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Run the web server: status page, API and metrics. SIGHUP makes it read its settings again."""
    log_start("serve")
    serve_web(
        join_stack(settings), make_app, read_again=lambda: join_stack(load_settings(config=settings.config))
    )
