"""How often a test tries what is drawn by chance: more than every day's times on demand."""

import os


def times(usually: int) -> int:
    """So many, times `DESCEND_TIMES`: `DESCEND_TIMES=50 pytest -m slow tests/fuzz` for a night."""
    return usually * int(os.environ.get("DESCEND_TIMES", "1"))
