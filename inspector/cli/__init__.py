"""The commands. One module each; this one puts them together and turns errors into one clear line."""

from inspector.cli.main import main

__all__ = ["main"]
