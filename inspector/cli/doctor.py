"""`inspector doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import click
from rich.text import Text

from inspector.cli.client import StatusClient
from inspector.cli.tables import harmless, make_console, make_table
from inspector.ops.checkup import Report, Result
from inspector.settings import Settings
from inspector.stack import join_stack
from inspector.wiring.doctor import check_up

WEB_TIMEOUT_S: Final = 4.0
_STYLES: Final = {
    Result.OK: "green",
    Result.WARNING: "yellow",
    Result.BAD: "bold red",
    Result.UNKNOWN: "dim",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--no-probe", is_flag=True, help="Send no probe object through bucket and queue.")
@click.option("--no-web", is_flag=True, help="Ask no web server: it runs on another host.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, no_probe: bool, no_web: bool) -> None:
    """Look at everything within seconds: what is wrong, and what to do about it.

    Programs, disk, sandbox, database, S3 and SQS, workers, jobs, clocks and the web server; each row has its
    result, what was found, and a remedy. Nothing is changed; a probe object goes the way of a video, and is
    removed. `inspector --diagnose` is the same.

    Exit codes: 0 all is well; 1 there are warnings; 2 something is bad.
    """
    settings = join_stack(ctx.obj)
    report = check_up(settings, None if no_web else make_web(settings), probe=not no_probe)
    if as_json:
        click.echo(json.dumps(report_document(report), indent=2, ensure_ascii=False))
    else:
        show(report)
    ctx.exit(report.exit_code)


def make_web(settings: Settings) -> StatusClient:
    """The web server, as a check-up asks it."""
    return StatusClient(settings, timeout_s=WEB_TIMEOUT_S)


def report_document(report: Report) -> dict[str, Any]:
    """A report as JSON."""
    return {
        "result": report.result,
        "checks": [asdict(check) for check in report.checks],
        "took_s": round(report.took_s, 2),
    }


def show(report: Report) -> None:
    """Print one row for each check, and in the end what they come to."""
    console = make_console()
    table = make_table("check", "result", "figure", "remedy")
    for check in report.checks:
        style = _STYLES[check.result]
        figure, remedy = (Text(harmless(text)) for text in (check.figure, check.remedy))
        table.add_row(check.name, Text(check.result, style=style), figure, remedy)
    console.print(table)
    counts = ", ".join(f"{report.count(result)} {result}" for result in Result if report.count(result))
    console.print(f"\n{counts}; looked at in {report.took_s:.1f} s", highlight=False)
