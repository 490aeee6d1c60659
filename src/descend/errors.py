"""What `descend` raises: every message says what is wrong, where, and what to do."""


class DescendError(Exception):
    """Anything that `descend` refuses; the command line prints it on one line and exits with code 2."""


class InputError(DescendError, ValueError):
    """An argument, a table or a function that cannot be used as it is."""


class CheckpointError(DescendError):
    """A checkpoint or a saved model that is damaged, incomplete or made by another run."""
