"""The command line as pages name it: each command and option must be there."""

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from typer.main import get_command

from descend.cli import _app

# In a block, with or without a prompt and the folder that it is in; or between words.
BLOCK = re.compile(r"^(?: {4,}|\$ )?(?:\.venv/bin/)?(descend [a-z].*)$", re.MULTILINE)
INLINE = re.compile(r"`(descend [^`]+)`")


@lru_cache
def commands() -> dict[str, Any]:
    """All commands of `descend`, by their names."""
    return dict(get_command(_app([])).commands)  # type: ignore[attr-defined]


def lines(text: str) -> Iterator[str]:
    """Calls of `descend` that a page shows."""
    yield from BLOCK.findall(text)
    yield from INLINE.findall(text)


def fault(line: str) -> str | None:
    """What is wrong with a call, if anything."""
    words = shlex.split(line, comments=True)[1:]
    if not words or words[0].startswith("-") or words[0] == "…":
        return None
    name = " ".join(words[:2]) if " ".join(words[:2]) in commands() else words[0]
    if name not in commands():
        return f"{line}: there is no command {name}"
    known = {option for parameter in commands()[name].params for option in parameter.opts} | {"--help", "--debug"}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]
    return f"{line}: {name} has no {', '.join(unknown)}" if unknown else None
