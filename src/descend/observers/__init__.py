"""What looks on while a descent goes on: called between dispatches with its progress, and unable to change it.

An observer is any callable that takes a `Progress`. If it is also a context manager, it is entered before the first
step and left after the last, whatever happens.
"""

from descend.engine.progress import Observer, Progress

__all__ = ["Observer", "Progress"]
