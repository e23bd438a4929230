"""Hooks of mkdocs: pages made from the code and the README, the navigation, and links that hold for both.

Nothing is written twice: the README is the front page, and its tables of commands and settings, which a test
compares with the code, open the reference. A document that nobody has given a place stands under How-to.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from inspector.cli import main
from inspector.cli.help import all_commands
from inspector.settings import Settings
from inspector.wiring.web import make_app

ROOT: Final = Path(__file__).parents[1]
HELP_WIDTH: Final = 100

#: Where the texts of the top folder stand in the site.
TOP: Final = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
#: Sections of the README that are pages of the reference, by their fragments.
MOVED: Final = {"commands": "reference/commands.md", "settings": "reference/settings.md"}

HOW_TO: Final = "How-to"
SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Quickstart": ("index.md",),
    HOW_TO: ("pages.md", "review.md"),
    "Operation": ("operating.md", "runbook.md", "backup.md", "scaling.md", "upgrading.md", "security.md"),
    "Reference": (*MOVED.values(), "api.md", "reference/operations.md", "metrics.md"),
    "How it works": ("architecture.md", "method.md", "decisions.md"),
    "Measured": ("accuracy.md", "cuts.md", "performance.md", "reliability.md"),
    "Project": ("changelog.md", "contributing.md"),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and give every page its place."""
    for path, content in generated_pages().items():
        files.append(File.generated(config, path, content=content))
    config.nav = navigation([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Point links, which hold in the repository, to the site's pages."""
    place = page.file.src_uri
    folder = "" if place in TOP.values() or place.startswith("reference/") else "docs"
    return re.sub(
        r"\[([^\]]*)\]\((?!\w+:)([^)\s#]*)(#[^)\s]*)?\)",
        lambda link: _relinked(link[1], link[2], link[3] or "", folder, place),
        markdown,
    )


def generated_pages() -> dict[str, str]:
    """The pages that are no files under docs, by their places."""
    pages = {place: (ROOT / name).read_text() for name, place in TOP.items()}
    for fragment, place in MOVED.items():
        pages[place], pages["index.md"] = take_section(pages["index.md"], fragment.capitalize())
    pages[MOVED["commands"]] += "\n".join(command_pages())
    document = openapi()
    pages["reference/operations.md"] = operations_page(document)
    pages["reference/openapi.json"] = json.dumps(document, indent=1)
    return pages


def navigation(pages: list[str]) -> list[dict[str, Any]]:
    """The navigation over these pages; what has no place yet is a how-to."""
    placed = {page for section in SECTIONS.values() for page in section}
    sections = {**SECTIONS, HOW_TO: (*SECTIONS[HOW_TO], *sorted(set(pages) - placed))}
    found = {title: [page for page in names if page in pages] for title, names in sections.items()}
    return [{title: names[0] if title == "Quickstart" else names} for title, names in found.items() if names]


def take_section(text: str, title: str) -> tuple[str, str]:
    """A section of the second level as a page of its own, and the text without it."""
    found = re.search(rf"^## {title}\n.*?(?=^## )", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the README has no section {title}")
    return found[0].removeprefix("#"), text[: found.start()] + text[found.end() :]


def command_pages() -> list[str]:
    """The help of each command."""
    root = click.Context(main, info_name="inspector", terminal_width=HELP_WIDTH, max_content_width=HELP_WIDTH)
    return [
        f"\n## {context.command_path}\n```text\n{context.get_help()}\n```"
        for context in all_commands(root)
        if context is not root
    ]


def openapi() -> dict[str, Any]:
    """The document that `/openapi.json` gives; nothing is asked of database or bucket."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            config=Path(os.devnull),
            data_dir=Path(folder),
            database_url="postgresql://nobody@127.0.0.1:9/none",
            aws_endpoint_url="http://127.0.0.1:9",
        )
        document: dict[str, Any] = make_app(settings).test_client().get("/openapi.json").get_json()
    return document


def operations_page(document: dict[str, Any]) -> str:
    """A table of all operations of the API."""
    rows = [
        f"| `{method.upper()} {path}` | {operation.get('summary', '')} |"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    head = "# Operations of the API\nThe whole description, for programs: [openapi.json](openapi.json).\n\n"
    return head + "\n".join(("| operation | what it does |", "|---|---|", *rows)) + "\n"


def _relinked(text: str, target: str, fragment: str, folder: str, place: str) -> str:
    """A link as the page at `place` needs it, whose source lies in `folder` of the repository."""
    if place.startswith("reference/") and target == "openapi.json":
        return f"[{text}]({target})"
    if not target:
        return f"[{text}]({fragment})"
    path = posixpath.normpath(posixpath.join(folder, target))
    if path == "README.md" and fragment.removeprefix("#") in MOVED:
        path, fragment = MOVED[fragment.removeprefix("#")], ""
    elif path in TOP:
        path = TOP[path]
    elif path.startswith("docs/"):
        path = path.removeprefix("docs/")
    else:
        return text  # code and the licence are no pages
    return f"[{text}]({posixpath.relpath(path, posixpath.dirname(place) or '.')}{fragment})"
