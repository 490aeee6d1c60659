"""Where in the user's own source an equation of a loss's program comes from."""

import linecache
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jax
from jax.extend.core import JaxprEqn

Pass = Literal["forward", "backward"]


@dataclass(frozen=True)
class Site:
    """An equation of a loss, and the line that it comes from.

    `primitive`: JAX's name of what is calculated; `shape`: of its result. `file`, `line`, `function`, `source`: the
    innermost line that is neither JAX's nor a library's, and its text. `within`: names of the functions around it, from
    the outermost (`log_softmax`, `scan`). `ordinal`: which one it is of its kind from this line, from 0.
    """

    primitive: str
    shape: tuple[int, ...]
    file: str
    line: int
    function: str
    source: str
    within: tuple[str, ...] = ()
    ordinal: int = 0
    direction: Pass = "forward"

    @property
    def place(self) -> str:
        """The file's name, the line and its text: `model.py:12: return jnp.log(p)`."""
        where = f"{Path(self.file).name}:{self.line}"
        return f"{where}: {self.source}" if self.source else where

    @property
    def identity(self) -> tuple[str, str, int, int]:
        """What tells this equation from all others, also when the loss is traced for a batch of another size."""
        return self.primitive, self.file, self.line, self.ordinal


def line_of(equations: tuple[JaxprEqn, ...]) -> tuple[str, int, str, str]:
    """The file, line, function and text that an equation comes from; the calls around it come first.

    A function that is compiled by itself is traced once, wherever it is called: so its equations end at its own first
    line, and a library's has no line of the user's. Then it is the line that calls it.
    """
    # Of a model that is all a library's, its own line is better than none.
    for foreign in (_libraries(), _jax()):
        for equation in reversed(equations):
            for frame in _frames(equation):
                if not frame.file_name.startswith(foreign):
                    text = linecache.getline(frame.file_name, frame.line_num).strip()
                    return frame.file_name, frame.line_num, frame.function_name, text
    return "", 0, "", ""


def called_by(equation: JaxprEqn) -> frozenset[str]:
    """The names of the functions that an equation was made in, JAX's included."""
    return frozenset(frame.function_name.rpartition(".")[2] for frame in _frames(equation))


def _frames(equation: JaxprEqn) -> list[Any]:
    """Those on the stack when the equation was made, from the innermost."""
    traceback = equation.source_info.traceback
    return list(traceback.frames) if traceback is not None else []


@cache
def _jax() -> tuple[str, ...]:
    return (str(Path(jax.__file__).parent), *_standard())


@cache
def _libraries() -> tuple[str, ...]:
    installed = tuple({sysconfig.get_path(kind) for kind in ("purelib", "platlib")})
    return (*_jax(), *installed, str(Path(__file__).parents[2]))


@cache
def _standard() -> tuple[str, ...]:
    return sysconfig.get_path("stdlib"), "<frozen "
