"""`inspector token`: makes a token for the web server."""

from __future__ import annotations

import click

from inspector.api.tokens import Role, hash_token, make_token


@click.command()
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.READ.value,
    help="What it permits.  [default: read]",
)
def token(role: str) -> None:
    """Make a token for the web server, and print it with its hash.

    The server's settings keep the hash; the token itself is shown only now. To replace one without an
    interruption, add the new hash, hand out the new token, then remove the old hash.
    """
    made = make_token()
    click.echo(f"token  {made}")
    click.echo(f"hash   {hash_token(made.encode())}")
    click.echo(f"Give the token to its owner, and add the hash to INSPECTOR_{role.upper()}_TOKENS.", err=True)
