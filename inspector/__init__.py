"""The inspector: is this video, or a part of it, already in the bucket?"""

import os

# Before numpy is loaded: our matrices are small, and threads that wait for the next one would spin meanwhile.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from inspector.build import this_build

__version__ = this_build().version
