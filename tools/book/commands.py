"""A page of the commands and their options, made from the command line itself."""

from typing import Any

from tools.book.shell import commands


def page() -> str:
    """What `descend COMMAND --help` says, of all commands."""
    parts = ["# Commands", "`descend COMMAND --help` says the same. A command that cannot do what it is asked for says "
             "why on one line, and ends with exit code 2; with `--debug`, the trace is shown, too."]
    for name, command in commands().items():
        parts += [f"## descend {name} {{ #{name.replace(' ', '-')} }}", " ".join((command.help or "").split()),
                  _table(command)]
    return "\n\n".join(parts) + "\n"


def _table(command: Any) -> str:
    rows = [f"| {_name(one)} | {' '.join((one.help or '').split())} | {_default(one)} |" for one in command.params]
    return "\n".join(["| option | what it does | default |", "| --- | --- | --- |", *rows])


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{option}`" for option in parameter.opts)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    return "" if parameter.default in (None, False) else f"`{parameter.default}`"
