"""The pages for people: library, video, comparison and system.

Everything is rendered here and works without a script; scripts then keep it up to date and make it quicker
to use. All text is escaped; style and scripts are files of our own, as the content security policy demands.
"""

from inspector.api.pages.behind import Behind
from inspector.api.pages.blueprint import make_pages

__all__ = ["Behind", "make_pages"]
