"""The examples as a gallery: the code, what it printed when the book was made, and a figure of it."""

import ast
import contextlib
import io
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from descend import advance_many
from tools.book.charts import Line, of_lines
from tools.book.svg import nice

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
Names = dict[str, Any]


def page() -> str:
    """All examples, one after the other."""
    parts = ["# Examples", "Each is a file of `examples/`, complete as it is. They ran when this book was made: below "
             "each is what it printed, and the figures are drawn from its own runs."]
    for file in sorted(EXAMPLES.glob("*.py"), key=lambda one: (one.stem == "gpt", one.stem)):
        parts += _shown(file)
    return "\n\n".join(parts) + "\n"


def _shown(file: Path) -> list[str]:
    code = file.read_text(encoding="utf-8")
    says = (ast.get_docstring(ast.parse(code)) or "").split("\n\n")[0]
    head = [f"## {file.stem.replace('_', ' ').capitalize()}", " ".join(says.split())]
    if file.stem == "gpt":
        return [*head, *_gpt()]
    names, printed = _run(file)
    draw = FIGURES.get(file.stem)
    figure = f"<figure>{draw(names, printed.splitlines())}</figure>" if draw else ""
    shown = f'```python title="examples/{file.name}"\n{code}```'
    told = f'```text title="It printed"\n{printed}```' if printed else ""
    return list(filter(None, [*head, figure, shown, told]))


def _run(file: Path) -> tuple[Names, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        names = runpy.run_path(str(file))
    return names, out.getvalue()


def _rates(names: Names, _: list[str]) -> str:
    """The losses of all rates, each a running median, so that batches do not hide them."""
    raced = advance_many(names["forks"], 500)
    lines = [Line(f"rate {nice(float(rate))}", np.arange(25, 500, 5), _smooth(trace.columns["loss"]), i)
             for i, (rate, (_, trace)) in enumerate(zip(names["rates"], raced, strict=True))]
    return of_lines(lines, "step", "loss, median of 25 batches", log=True)


def _smooth(losses: np.ndarray) -> np.ndarray:
    return np.array([np.median(losses[i - 25 : i]) for i in range(25, 500, 5)])


def _replayed(names: Names, printed: list[str]) -> str:
    """The loss of all rows after each step, and what else the worst step could have led to."""
    losses, worst = np.array(names["everything"]), names["worst"]
    # The first line tells of the step as it was, and so does the second.
    led = [float(line.split()[-1]) for line in printed[2:]]
    titles = [line.split(" leads")[0].strip() for line in printed[2:]]
    ways = [Line(f"the same step {title}", np.array([worst, worst + 1]), np.array([losses[worst], end]), i + 1)
            for i, (title, end) in enumerate(zip(titles, led, strict=True))]
    return of_lines([Line("as it was", np.arange(len(losses)), losses, 0), *ways], "step", "loss of all rows", log=True)


def _sharpness(_: Names, printed: list[str]) -> str:
    """The sharpness on the way, beside the limit, as it was printed."""
    found = np.array([[float(number) for number in re.findall(r"[\d.]+", line)] for line in printed])
    line = Line("rate × sharpness", found[:, 0], found[:, 2], 0)
    return of_lines([line], "step", "rate × sharpness; broken: the limit", log=False, level=found[0, 3])


FIGURES: dict[str, Callable[[Names, list[str]], str]] = {
    "race_eight_rates": _rates, "replay_a_step": _replayed, "sharpness": _sharpness,
}


def _gpt() -> list[str]:
    """What takes minutes has a page of its own, with the table of a run that was made once."""
    text = (ROOT / "docs" / "gpt-in-one-file.md").read_text(encoding="utf-8")
    steps, losses = (np.array([float(cell) for cell in re.findall(r"\d[\d.]*", line)])
                     for line in re.findall(r"^\| (?:step|held out) \|.*$", text, re.MULTILINE))
    chart = of_lines([Line("held out", steps, losses, 0)], "step", "loss, nats a letter", log=False)
    return [f"<figure>{chart}</figure>", "It takes minutes, so this is a run that was made once. "
            "[A page reads the file from top to bottom](gpt-in-one-file.md)."]
