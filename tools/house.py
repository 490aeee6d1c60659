"""Whether a stranger would find the house in order: sizes, comments, types and names in `src/descend`, and their bars.

    python tools/house.py            # ends with 1 where a bar is not met
    python tools/house.py --report   # says so, and ends with 0

The table has a line for each package, and one for all, which the bars are for. Below it is where a bar is not met.
"""

import argparse
import ast
import io
import re
import statistics
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = "descend"
SOURCE = Path(__file__).parents[1] / "src" / ROOT

MEDIAN_LINES = 150
MOST_LINES = 450
COMMENTS_PER_1000 = 25
TYPED_PERCENT = 80
# A name in two modules is no fault: modules are namespaces, and the word may be the right one in both. A word that
# three give to three things says little in any, so there may be none: Optax and Equinox have none, scikit-learn 15.
MODULES_OF_A_NAME = 2

# Lines of what does not meet a bar.
LISTED = 50
# Numba finds the types of these when they are called, and they have the same names as methods of a protocol have.
COMPILED = {"_kernels", "_losses"}
# Comments that a program reads.
PRAGMA = re.compile(r"#(!|\s*(noqa|type:|pragma|fmt:|ruff:|mypy:|pylint:|isort:))")
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file, and what is counted in it."""

    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The package right below `descend` that it is of; what lies there itself is of none, and in the table `.`."""
        return self.path.split("/")[0] if "/" in self.path else "."

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def compiled(self) -> bool:
        return not COMPILED.isdisjoint(self.path.split("/")[:-1])

    @property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]


def modules(source: Path) -> list[Module]:
    """All modules below a folder."""
    paths = sorted(source.rglob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return [
        Module(path.relative_to(source).as_posix(), text, ast.parse(text))
        for path, text in zip(paths, texts, strict=True)
    ]


def length(function: Function) -> int:
    """Lines of a function from `def` on, its docstring's among them."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def comments(module: Module) -> int:
    """Lines that are a comment and nothing else; what a program reads is none."""
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return sum(
        token.type == tokenize.COMMENT and token.line[: token.start[1]].strip() == "" and not PRAGMA.match(token.string)
        for token in tokens
    )


def parameters(module: Module) -> Iterator[tuple[ast.arg, bool]]:
    """Parameters of functions, but for self and cls, and whether each has a type that says something."""
    for function in module.functions:
        given = function.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        for one in [*named, *filter(None, (given.vararg, given.kwarg))]:
            if not (named and one is named[0] and one.arg in ("self", "cls")):
                yield one, one.annotation is not None and not _is_any(one.annotation)


def _is_any(annotation: ast.expr) -> bool:
    """Of a union with Any, too: it is no more than that. An alias with a name of its own, `Tree` for any pytree,
    does tell a reader something, if not a type checker."""
    match annotation:
        case ast.BinOp(left=left, right=right):
            return _is_any(left) or _is_any(right)
        case ast.Constant(value=str(text)):
            return bool(re.search(r"(^|\|)\s*(typing\.)?Any\s*(\||$)", text))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == "Any"
    return False


def crossing(module: Module) -> Iterator[str]:
    """Private names that a module imports from another package. Modules right below `descend` that are private, `_tree`
    and the like, are foundations that all share: what they name for others is nobody's secret."""
    for target, name in _imported(module):
        root, *inner = [*target.split("."), *([] if name is None else [name])]
        if root == ROOT and inner and inner[0] != module.package and any(map(_is_private, inner[1:])):
            yield f"{module.path}: {'.'.join([root, *inner])}"


def _imported(module: Module) -> Iterator[tuple[str, str | None]]:
    """(module, name) of what is imported from it, with relative imports spelled out."""
    inside = [ROOT, *module.path.removesuffix(".py").split("/")]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((one.name, None) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside[: -node.level] if node.level else []
            target = ".".join([*above, *filter(None, [node.module])])
            yield from ((target, one.name) for one in node.names)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined(module: Module) -> Iterator[str]:
    """What a module names for others to meet: functions and classes that are not private, and constants. Private
    functions are read beside their only callers, and type variables are letters."""
    for node in module.tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for name in [found for target in targets for found in ast.walk(target) if isinstance(found, ast.Name)]:
            if isinstance(name.ctx, ast.Store) and CONSTANT.fullmatch(name.id):
                yield name.id


def several(found: Iterable[Module]) -> dict[str, list[str]]:
    """Names that more modules define than may, each with the modules."""
    where: dict[str, list[str]] = defaultdict(list)
    for module in found:
        if not module.compiled:
            for name in dict.fromkeys(defined(module)):
                where[name].append(module.path)
    return {name: paths for name, paths in sorted(where.items()) if len(paths) > MODULES_OF_A_NAME}


@dataclass(frozen=True)
class Figures:
    """A line of the table."""

    median: float
    longest: int
    function: float
    comments: float
    typed: float
    crossing: int
    names: int

    @classmethod
    def of(cls, some: list[Module], names: dict[str, list[str]]) -> "Figures":
        lines = [module.lines for module in some]
        lengths = [length(function) for module in some for function in module.functions]
        typed = [is_typed for module in some if not module.compiled for _, is_typed in parameters(module)]
        paths = {module.path for module in some}
        return cls(
            median=statistics.median(lines),
            longest=max(lines),
            function=statistics.quantiles(lengths, n=20)[-1] if len(lengths) > 1 else sum(lengths),
            comments=1000 * sum(map(comments, some)) / max(1, sum(lines)),
            typed=100 * sum(typed) / len(typed) if typed else 100.0,
            crossing=sum(len(list(crossing(module))) for module in some),
            names=sum(not paths.isdisjoint(where) for where in names.values()),
        )


@dataclass(frozen=True)
class Bar:
    """What a figure may be, and where to look if it is not so."""

    title: str
    figure: str
    at_most: float | None = None
    at_least: float | None = None

    def is_met(self, figures: Figures) -> bool:
        value = getattr(figures, self.figure)
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def __str__(self) -> str:
        if self.at_most is None:
            return "" if self.at_least is None else f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}"


BARS = (
    Bar("median", "median", at_most=MEDIAN_LINES),
    Bar("longest", "longest", at_most=MOST_LINES),
    Bar("function p95", "function"),
    Bar("comments/1,000", "comments", at_least=COMMENTS_PER_1000),
    Bar("typed %", "typed", at_least=TYPED_PERCENT),
    Bar("crossing", "crossing", at_most=0),
    Bar("shared names", "names", at_most=0),
)


def places(found: list[Module], names: dict[str, list[str]]) -> dict[str, list[str]]:
    """Where each bar is not met, by figure."""
    untyped = {
        module.path: sum(not typed for _, typed in parameters(module)) for module in found if not module.compiled
    }
    return {
        "longest": [f"{module.path}: {module.lines} lines" for module in found if module.lines > MOST_LINES],
        "typed": [f"{path}: {count} without a type" for path, count in _largest(untyped)],
        "crossing": [line for module in found for line in crossing(module)],
        "names": [f"{name}: {', '.join(paths)}" for name, paths in names.items()],
    }


def _largest(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(((path, count) for path, count in counts.items() if count), key=lambda one: -one[1])


def table(found: list[Module], names: dict[str, list[str]]) -> tuple[list[list[str]], list[Bar]]:
    """Rows of the table, and the bars that are not met."""
    packages = sorted({module.package for module in found})
    groups = {package: [module for module in found if module.package == package] for package in packages}
    rows = [["package", "modules", *(bar.title for bar in BARS)], ["bar", "", *map(str, BARS)]]
    for title, some in {**groups, "all": found}.items():
        figures = Figures.of(some, names)
        # A package that does not meet a bar of the whole has a mark, too: there is where to begin.
        cells = [f"{round(getattr(figures, bar.figure), 1):g}{' ' if bar.is_met(figures) else '*'}" for bar in BARS]
        rows.append([title, str(len(some)), *cells])
    figures = Figures.of(found, names)
    return rows, [bar for bar in BARS if not bar.is_met(figures)]


def main() -> int:
    """Print the table, and say by the status whether all bars are met."""
    parser = argparse.ArgumentParser(description="Sizes, comments, types and names of src/descend, beside their bars.")
    parser.add_argument("--report", action="store_true", help="end with 0 whether the bars are met or not")
    report = parser.parse_args().report
    found = modules(SOURCE)
    names = several(found)
    rows, unmet = table(found, names)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for title, *cells in rows:
        print(
            title.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)),
            sep="  ",
        )
    where = places(found, names)
    for bar in unmet:
        print(f"\n{bar.title}: not {bar}")
        lines = where.get(bar.figure, [])
        for line in lines[:LISTED]:
            print(f"  {line}")
        if len(lines) > LISTED:
            print(f"  and {len(lines) - LISTED} more")
    return 1 if unmet and not report else 0


if __name__ == "__main__":
    sys.exit(main())
