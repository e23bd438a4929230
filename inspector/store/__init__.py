"""What must last: tables, and one module per subject that reads and writes them.

Functions take the open transaction first, so that the caller decides what is committed together.
"""

from inspector.store.database import Database
from inspector.store.migrate import migrate

__all__ = ["Database", "migrate"]
