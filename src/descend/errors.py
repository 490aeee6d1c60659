"""What `descend` raises: every message says what is wrong, where, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class DescendError(Exception):
    """Anything that `descend` refuses; the command line prints it on one line and exits with code 2."""


class InputError(DescendError, ValueError):
    """An argument, a table or a function that cannot be used as it is."""


class CheckpointError(DescendError):
    """A checkpoint or a saved model that is damaged, incomplete or made by another run."""


class LostError(DescendError):
    """A process that a descent is divided among has ended, or cannot be reached: go on from the last checkpoint."""


@contextmanager
def reading(what: str, kind: type[DescendError] = InputError) -> Iterator[None]:
    """Makes whatever goes wrong in what others wrote an error of this kind that begins with `what`, on one line.

    Of bytes that nobody wrote on purpose, each library that looks at them may make an error of its own.
    """
    try:
        yield
    except DescendError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise kind(f"{what}: {reason}") from error
