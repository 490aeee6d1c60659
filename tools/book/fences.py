"""The code of pages: found, run in the order in which it is read, and what it prints held to what the page says.

- A fence of Python runs in the names of those before it on the page that it needs, directly or through others.
- With `title="name.py"` it is a file: one of this repository, of which it must be a part; or a new one, which those
  that come after it import.
- `print(…)  # …` prints what the comment says; `…` in it stands for anything.
"""

import ast
import builtins
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from symtable import SymbolTable, symtable
from typing import Any

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```python(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
SECTION = re.compile(r"^## ", re.MULTILINE)
PRINTED = re.compile(r"^ *print\(.*\) +# (.*)$", re.MULTILINE)
Names = dict[str, Any]


def markdown_files() -> list[Path]:
    """All pages that people read: the README, and what lies in `docs`."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Fence:
    """A fence of Python: its code, and the file that it is or is a part of."""

    code: str
    title: str | None = None

    @property
    def is_excerpt(self) -> bool:
        """Whether it shows a part of a file of this repository."""
        return self.title is not None and (ROOT / self.title).is_file()

    @property
    def is_file(self) -> bool:
        """Whether it is a file that others import."""
        return self.title is not None and not self.is_excerpt

    @property
    def runs(self) -> bool:
        """Whether it is run by itself."""
        return self.title is None

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.code)

    @cached_property
    def defines(self) -> frozenset[str]:
        """Names that those after it may use."""
        return frozenset(_defined(self.tree.body))

    @cached_property
    def needs(self) -> frozenset[str]:
        """Names that it uses and does not define itself before."""
        own = set(dir(builtins))
        needed: set[str] = set()
        for statement in self.tree.body:
            needed |= set(_used(symtable(ast.unparse(statement), "", "exec"))) - own
            own |= set(_defined([statement]))
        return frozenset(needed)

    @property
    def imports(self) -> set[str]:
        """The packages that it imports."""
        return {name.partition(".")[0] for node in ast.walk(self.tree) for name in _imported(node)}

    @property
    def expected(self) -> list[str]:
        """What its prints are said to print."""
        return PRINTED.findall(self.code)


def _defined(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that statements leave behind, but for those within functions and classes."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in statement.names)
        else:
            yield from (node.id for node in ast.walk(statement)
                        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _used(table: SymbolTable) -> Iterator[str]:
    """Global names that are used in a scope, or in one within it."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _used(inner)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


@dataclass(frozen=True)
class Part:
    """A section of a page: its fences, and those before it that they need."""

    page: Path
    title: str
    fences: tuple[Fence, ...]
    before: tuple[Fence, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}: {self.title}"

    @property
    def imports(self) -> set[str]:
        """The packages that it needs."""
        return {name for fence in self.fences if not fence.is_excerpt for name in fence.imports}


def parts(page: Path) -> list[Part]:
    """The sections of a page that have fences."""
    found: list[Part] = []
    before: list[Fence] = []
    for section in SECTION.split(page.read_text(encoding="utf-8")):
        fences = [Fence(match["code"], match["title"]) for match in FENCE.finditer(section)]
        if fences:
            title = section.splitlines()[0].lstrip("# ")
            found.append(Part(page, title, tuple(fences), tuple(_needed(fences, before))))
        before += fences
    return found


def _needed(fences: Sequence[Fence], before: Sequence[Fence]) -> list[Fence]:
    """Of what comes before, the fences that define what is used, the nearest first, and what those need in turn."""
    shown = Fence("\n".join(fence.code for fence in fences if fence.runs))
    needed, imported = set(shown.needs), set(shown.imports)
    kept: list[Fence] = []
    for fence in reversed(before):
        is_imported = fence.is_file and Path(fence.title or "").stem in imported
        if is_imported or (fence.runs and fence.defines & needed):
            kept.append(fence)
            needed = (needed - fence.defines) | fence.needs
            imported |= fence.imports
    return kept[::-1]


def run(fences: Sequence[Fence], where: str, folder: Path, names: Names | None = None,
        told: Callable[[str], None] = print) -> Names:
    """Run fences one after the other in a folder, and return all names that they leave. `told`: what they print."""
    names = {} if names is None else names
    names["print"] = lambda *words: told(" ".join(map(str, words)))
    with _importing_from(folder):
        for fence in fences:
            if fence.is_file:
                (folder / str(fence.title)).write_text(fence.code, encoding="utf-8")
            elif fence.runs:
                exec(compile(fence.code, where, "exec"), names)  # noqa: S102  # of our own pages
    return names


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def is_as_said(told: str, expected: str) -> bool:
    """Whether what was printed is what a comment says, in which `…` stands for anything."""
    return re.fullmatch(re.escape(expected.strip()).replace("…", ".*"), told.strip(), re.DOTALL) is not None
