"""A file of the user's that defines a loss. It is imported, because its user asks for that on the command line; nothing
that a page sends is ever executed."""

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from descend._tree import Tree
from descend.errors import InputError
from descend.studio.racing.gallery import Point

MODULE = "descend_studio_model"
COMPILED = "a loss is compiled: compute in it with jax.numpy, and choose with jax.numpy.where"


@dataclass(frozen=True)
class Model:
    """What a file defines, under the names that `descend.begin` has for it; `minima`: to be marked, of two numbers
    each; `says`: the file's own words about itself."""

    path: Path
    says: str
    loss: Callable[..., Any]
    params: Tree
    data: Any = None
    state: Tree = None
    batch_size: int | None = None
    optimizer: Any = None
    dtype: Any = None
    minima: tuple[Point, ...] = ()

    @property
    def name(self) -> str:
        """What it is called on the page."""
        return self.path.name


DEFINED = [field.name for field in fields(Model)][2:]


def read_model(path: Path) -> Model:
    """What a file defines.

    **Raises** `InputError` for a file that cannot be imported, with the line of it; and for one without a loss or
    parameters.
    """
    with blaming(path, alone=True):
        module = _imported(path)
    found = {name: getattr(module, name) for name in DEFINED if hasattr(module, name)}
    for name, such_as in (("loss", "def loss(params): …"), ("params", "params = [-1.2, 1.0]")):
        if name not in found:
            raise InputError(f"{path} defines no {name}: write {such_as}, as docs/studio.md has it")
    if not callable(found["loss"]):
        raise InputError(f"{path}: loss must be a function of params, but is a {type(found['loss']).__name__}")
    says = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    return Model(path, says, **found | {"minima": _minima(path, found.get("minima", ()))})


@contextlib.contextmanager
def blaming(path: Path, alone: bool = False) -> Iterator[None]:
    """What goes wrong within because of the file is told as an `InputError`, with the line of it. `alone`: whether
    nothing else can be at fault, so that it is told so even where no line of the file led there."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}{_line(error, path)}: {error}") from error
    # A file may also end Python, which must not end the studio.
    except (Exception, SystemExit) as error:
        line = _line(error, path)
        if not (line or alone):
            raise
        raise InputError(f"{path}{line}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    hint = f" ({COMPILED})" if isinstance(error, jax.errors.JAXTypeError) else ""
    return f"{type(error).__name__}{': ' + lines[0] if lines else ''}{hint}"


def _line(error: BaseException, path: Path) -> str:
    """The last line of the file that led to an error, as `:12`; empty where none did."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f":{lines[-1]}" if lines else ""


class _Loader(SourceFileLoader):
    """Compiles a file each time anew: what is kept on disk is told from the text by the second that it is of."""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)


def _imported(path: Path) -> ModuleType:
    loader = _Loader(MODULE, str(path))
    # As `python model.py` does it: its neighbours can be imported, and it finds itself.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module, before = module_from_spec(ModuleSpec(MODULE, loader, origin=str(path))), sys.modules.get(MODULE)
    sys.modules[MODULE] = module
    try:
        loader.exec_module(module)
    except BaseException:
        # The one before goes on.
        sys.modules.pop(MODULE)
        sys.modules.update({MODULE: before} if before else {})
        raise
    return module


def _minima(path: Path, given: Any) -> tuple[Point, ...]:
    try:
        return tuple((float(x), float(y)) for x, y in given)
    except (TypeError, ValueError):
        raise InputError(f"{path}: minima must be pairs of numbers, such as [(1.0, 1.0)]") from None
