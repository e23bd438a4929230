"""What people see: the status API, its streams, health and a first page.

`create_app` builds the application, `serve` runs it. The way of a request: guard → view → finder → board →
database; the board's feeder keeps what it remembers true.
"""

from inspector.api.app import create_app
from inspector.api.serve import serve

__all__ = ["create_app", "serve"]
