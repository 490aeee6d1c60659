"""`python -m benchmarks NAME [--json FILE]`: run a benchmark, print its table, and keep it in `RESULTS.md`."""

import json
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmarks._rows import Row, as_records, line, markdown

RESULTS = Path(__file__).with_name("RESULTS.md")


Name = Literal["engine", "first_step", "many", "start", "tables", "optimizers", "matrix_rules", "torch_step",
               "torch_minimize", "searches", "linear", "linear_defaults", "linear_growth", "calibration", "untuned",
               "untuned_more", "neural", "small_networks", "lenet", "pictures", "texts", "language", "bits", "rl",
               "insight", "doctor", "studio", "sweep", "scale", "scale_model", "dask_ml", "larger"]


def main(
    name: Annotated[Name, typer.Argument(help="What to measure.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows there, too.")] = None,
) -> None:
    """Measure ours and the peer's alternately, and print both: each row as it comes, then the table."""
    module = import_module(f"benchmarks.{name}")
    rows: list[Row] = []
    for row in module.rows():
        rows.append(row)
        typer.echo(line(row), err=True)
    records = as_records(rows, module.PACKAGES)
    versions = ", ".join(f"{package} {number}" for package, number in records[0]["versions"].items())
    more = ["", *module.appendix()] if hasattr(module, "appendix") else []
    lines = [(module.__doc__ or name).strip(), "", f"{os.cpu_count()} cores; {versions}.", "", *markdown(rows), *more]
    print("\n".join(lines))
    if json_file is not None:
        json_file.write_text(json.dumps(records, indent=2) + "\n")
    _keep(name, "\n".join(lines))


def _keep(name: str, text: str) -> None:
    """Replace the section of this benchmark in the results, and leave the others."""
    old = RESULTS.read_text() if RESULTS.exists() else "# Results\n\nWritten by `python -m benchmarks NAME`.\n"
    section = f"## {name}\n\n{text}\n"
    pattern = re.compile(rf"^## {name}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    new = pattern.sub(lambda _: section + "\n", old) if pattern.search(old) else f"{old.rstrip()}\n\n{section}"
    RESULTS.write_text(new.rstrip() + "\n")


if __name__ == "__main__":
    typer.run(main)
