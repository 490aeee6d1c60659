"""Where the command line prints: whatever is printed comes through here, and is visible."""

import sys
from collections.abc import Iterable

from rich import console
from rich.segment import Segment
from rich.text import Text

from descend._text import visible

# May stand anywhere on the line.
DEBUG = "--debug"
# Of an option of all commands that train.
NO_INSIGHT = "Do not say what stands out at the end of the descent."


class Console(console.Console):
    """Rich's console for texts that may be of anybody's: they are shown, and command nothing. What Rich itself has to
    tell the terminal, such as colours and where a live line is, it is told."""

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments that a renderable consists of; all that is printed becomes such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


def say(console: Console, line: str) -> None:
    """Print a line as it is: one line, whatever is in it."""
    console.print(Text(line.replace("\n", "\\n")), soft_wrap=True)


def write(text: str) -> None:
    """Print a text for programs as well as for people, whether quiet or not."""
    print(visible(text), flush=True)  # noqa: T201  # the one place that prints


def pipe(content: bytes) -> None:
    """Give a file's content to the standard output: to a program as it is, to people as text."""
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        write(content.decode().rstrip("\n"))
        return
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print to the standard error."""
    print(visible(text), file=sys.stderr, flush=True)  # noqa: T201


def complain_in_a_line(message: str) -> None:
    """The same, on one line that says whose it is."""
    complain(f"descend: {' '.join(message.split())}")
