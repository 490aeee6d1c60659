"""The command line, as its own tests call it."""

from cli.conftest import descend

__all__ = ["descend"]
