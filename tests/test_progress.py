"""The line of progress: whatever becomes of the terminal, the training goes on."""

import io

import pytest
from rich.console import Console

from descend import SGD, minimize
from descend.observers.progress import ProgressBar


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


class Plain(io.TextIOWrapper):
    """A terminal that prints ASCII alone."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="ascii")


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "file"])
@pytest.mark.parametrize("stream", [Gone, Plain])
def test_a_terminal_that_cannot_show_it_ends_nothing(stream, terminal):
    console = Console(file=stream(), force_terminal=terminal)
    fit = minimize(lambda x: (x**2).sum(), [1.0], optimizer=SGD(0.1), steps=20, stop=[],
                   observers=[ProgressBar("a training …", console)])
    assert fit.reason.name == "budget"
