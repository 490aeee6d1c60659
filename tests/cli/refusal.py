"""How the command line refuses what it cannot do."""

import re


def refused(said, *parts):
    """One line on standard error, with all these parts, and exit code 2; and at most what was being read."""
    assert said.code == 2
    assert re.fullmatch(r"(reading .*\n)?", said.out)
    assert said.err.count("\n") == 1
    assert said.err.startswith("descend: ")
    for part in parts:
        assert part in said.err
