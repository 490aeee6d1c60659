"""What looks on while a descent goes on: called between dispatches with its progress, and unable to change it.

An observer is any callable that takes a `Progress`. If it is also a context manager, it is entered before the first
step and left after the last, whatever happens. If it has a method `ended`, that is called with the `descend.Result` of
a descent that came to its end.
"""

from descend.engine.progress import EndObserver, Observer, Progress

__all__ = ["EndObserver", "Observer", "Progress"]
