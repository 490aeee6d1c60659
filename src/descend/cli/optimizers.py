"""`descend optimizers`: the family of rules, searches, modifiers and schedules, and what each of them is."""

import dataclasses
import difflib
import inspect
import textwrap
from typing import Annotated, Any

from rich.text import Text
from typer import Argument

from descend.cli._console import Console, write
from descend.errors import InputError
from descend.optimizers import Member, family

# A pipe has no width: one line for each.
PIPE_WIDTH = 10_000
PROSE_WIDTH = 100


def optimizers(
    name: Annotated[str | None, Argument(help="One of them, to read all about it.")] = None,
) -> None:
    """List the optimizers, modifiers and schedules, or explain one."""
    console = Console(highlight=False)
    if name is not None:
        _explain(_find(name), console)
    elif console.is_terminal:
        console.print(family().table(console.width))
    else:
        write(family().text(PIPE_WIDTH))


def _find(name: str) -> Member:
    """The member of this name, however it is written."""
    by_name = {member.name.casefold(): member for member in family()}
    wanted = name.casefold().replace("-", "").replace("_", "")
    if wanted in by_name:
        return by_name[wanted]
    close = [by_name[near].name for near in difflib.get_close_matches(wanted, by_name)]
    # Names are Python's, and are often typed in lower case or with dashes.
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise InputError(f"there is no optimizer, modifier or schedule '{name}': {hint}'descend optimizers' lists all")


def _explain(member: Member, console: Console) -> None:
    """Its docstring, its settings, and how far it is stable."""
    console.print(Text(f"{member.name}, a {member.kind}", style="bold"))
    paragraphs = (inspect.getdoc(member.cls) or "").split("\n\n")
    fields = dataclasses.fields(member.cls)
    longest = max(len(field.name) for field in fields)
    settings = "\n".join(f"    {field.name:<{longest}}  {_default(field)}" for field in fields)
    paragraphs += ["Settings, and their defaults:", settings]
    if isinstance(limit := member.stability_limit, float):
        why = inspect.getdoc(member.cls.stability_limit)
        paragraphs += [f"Stable up to a learning rate × curvature of {limit:.3g}: {why}"]
    for paragraph in paragraphs:
        # Prose is wrapped to the terminal; formulas, examples and settings stay as they are.
        verbatim = any(line.startswith((" ", ">>>")) for line in paragraph.splitlines())
        text = paragraph if verbatim else textwrap.fill(" ".join(paragraph.split()), min(console.width, PROSE_WIDTH))
        console.print(Text(f"\n{text}"), soft_wrap=True)


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return repr(field.default_factory())
    return "(needed)" if field.default is dataclasses.MISSING else repr(field.default)
