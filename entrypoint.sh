#!/bin/sh
# Makes bucket, queues and database ready, then becomes the command that was asked for: `serve`, `work`, …
set -eu

inspector bootstrap
exec inspector "$@"
