"""Options that a command shares with another one."""

from collections.abc import Callable, Collection
from inspect import Parameter, signature
from typing import Any


def with_options_of(
    other: Callable[..., Any], without: Collection[str] = (), **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that takes, as `**options`, all of another one's as well, but for some; some with other defaults."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = {name: each for name, each in signature(command).parameters.items() if each.kind != Parameter.VAR_KEYWORD}
        taken = {name: each.replace(default=defaults.get(name, each.default), kind=Parameter.KEYWORD_ONLY)
                 for name, each in signature(other).parameters.items() if name not in {*own, *without}}
        both = {name: each.replace(kind=Parameter.KEYWORD_ONLY) for name, each in own.items()} | taken
        # What typer reads.
        command.__signature__ = signature(command).replace(parameters=list(both.values()))  # type: ignore[attr-defined]
        command.__annotations__ = {name: each.annotation for name, each in both.items()}
        return command

    return decorated
