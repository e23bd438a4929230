"""The inspector: is this video, or a part of it, already in the bucket?"""

from importlib.metadata import version

__version__ = version("video-inspector")
