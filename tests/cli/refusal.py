"""How the command line refuses what it cannot do."""


def refused(said, *parts):
    """Nothing but one line on standard error, with all these parts, and exit code 2."""
    assert said.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("descend: ")
    for part in parts:
        assert part in said.err
