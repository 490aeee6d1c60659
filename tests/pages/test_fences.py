"""Whatever code a page shows runs, and prints what the page says; whatever command it names is there."""

import tomllib
from importlib.util import find_spec

import pytest

from tools.book import failing, fences, shell

PAGES = fences.markdown_files()
PEERS = set(tomllib.loads((fences.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["peers"])


def cases():
    """A case for each part of a page; those that need a peer are marked so.

    But for the page of trainings that fail: `make docs` runs it, and holds each of them to what the doctor proves.
    """
    for page in PAGES:
        for part in fences.parts(page) if page != failing.PAGE else ():
            yield pytest.param(part, id=str(part), marks=pytest.mark.peers if part.imports & PEERS else ())


@pytest.mark.parametrize("part", list(cases()))
def test_it_runs_and_prints_what_is_said(part, ran):
    for package in sorted(part.imports & PEERS):
        if find_spec(package) is None:
            pytest.skip(f"shows {package}: pip install {package}")
    expected = [line for fence in part.fences if fence.runs for line in fence.expected]
    # Only what has a comment behind it is said to be anything.
    told = iter(ran(part)[1])
    for line in expected:
        assert any(fences.is_as_said(one, line) for one in told), f"nothing that was printed is: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(fences.ROOT).as_posix())
def test_what_it_shows_of_a_file_is_in_the_file(page):
    excerpts = [fence for part in fences.parts(page) for fence in part.fences if fence.is_excerpt]
    assert [fence.code for fence in excerpts if fence.code not in (fences.ROOT / fence.title).read_text()] == []


def test_no_fence_of_python_is_overlooked():
    for page in PAGES:
        text = page.read_text()
        assert text.count("```python") == sum(len(part.fences) for part in fences.parts(page)), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(fences.ROOT).as_posix())
def test_its_commands_and_options_are_there(page):
    assert [fault for line in shell.lines(page.read_text()) if (fault := shell.fault(line))] == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("descend fit houses.csv --target price", None),
        ("descend rl play runs/pole -o pole.gif", None),
        ("descend fit --help", None),
        ("descend fly houses.csv", "there is no command fly"),
        ("descend fit houses.csv --taget price", "fit has no --taget"),
        ("descend predict runs/houses new.csv -x prices.csv", "predict has no -x"),
        ("descend fit a.csv --seed=3  # --not-one", None),
    ],
)
def test_a_wrong_call_is_seen(line, told):
    fault = shell.fault(line)
    assert told in fault if told else fault is None


def made(folder, text):
    page = folder / "page.md"
    page.write_text(text)
    return fences.parts(page)


PAGE = """# A page

## First

```python
import math
x, y = 1, 2
```

## Second

```python
def twice(x):
    return 2 * x * z
```

## Third

```python
z = math.pi
print(twice(y))    # 12.…
```
"""


def test_a_part_runs_after_what_it_needs(tmp_path):
    first, second, third = made(tmp_path, PAGE)
    # A function's own x is no need; z is defined by the third itself.
    assert second.before == ()
    assert third.before == (*first.fences, *second.fences)
    printed = []
    fences.run([*third.before, *third.fences], "page", tmp_path, told=printed.append)
    assert fences.is_as_said(*printed, *third.fences[0].expected)
    assert not fences.is_as_said(*printed, "13.…")


FILE = """# P

```python title="shown_file.py"
VALUE = 3
```

## Use

```python
import shown_file
v = shown_file.VALUE
```
"""


def test_a_file_is_written_and_imported(tmp_path):
    _, use = made(tmp_path, FILE)
    assert fences.run([*use.before, *use.fences], "page", tmp_path)["v"] == 3
