"""`python -m inspector.stack DATA_DIR` keeps the embedded PostgreSQL up until it is told to stop."""

from inspector.stack.postgres import main

main()
