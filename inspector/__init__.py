"""The inspector: is this video, or a part of it, already in the bucket?"""

from inspector.build import this_build

__version__ = this_build().version
