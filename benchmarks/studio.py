"""How quick the studio's page is, measured in Debian's Chromium, which draws without a graphics card.

Every peer is the bar that was set before: no other racing page with one's own function and sliders is known to us. Six
optimizers race 300 steps on Himmelblau's function, at 1280 × 800 pixels. "slider": from the event of a slider to the
drawing of all balls at their new places, 200 times; "drag": the same of a pointer that drags the start, as fast as
frames come, where at most one race is under way, beside the slider's bar, as none was set for it. "first ball": from
the end of typing a formula that was not known, so that its programs are compiled, to its first ball; median of five.
"curve": a million steps drawn as a curve of losses, its axes and all. "playground frame": from one drawn picture to the
next while two hidden layers of eight units learn the spiral by Adam, an epoch a picture: the boundary in 100 × 100
cells, the maps of all units, weights and losses; the bar is 30 pictures a second. "1,000 runs": copies of two runs of
`descend fit`, each under a name and a seed of its own; "listed": from the beginning of the page's load to the rows on
it; "longest frame": of 200 while the list is scrolled by ten rows in each; medians of five. The engine and the browser
share the cores.
"""

import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._rows import Row

COMMAND = (sys.executable, "-c", "from descend.cli import main; main()")
PACKAGES = ("descend", "jax", "playwright", "starlette", "uvicorn")
CHROMIUM = "/usr/bin/chromium"
SLIDES, DRAGS, FORMULAS, CURVES = 200, 120, 5, 9
# Milliseconds, but for the first ball in seconds.
MEDIAN_BAR, P95_BAR, FIRST_BALL_BAR, CURVE_BAR, PICTURE_BAR = 50, 120, 1.5, 300, 1000 / 30
RUNS, FRAMES, LOADS = 1000, 200, 5
LISTED_BAR, FRAME_BAR = 1000, 50
RACE = "6 optimizers × 300 steps"

# The page measures each race that it draws, from the change that asked for it.
LISTEN = """() => {
  window.races = [];
  new PerformanceObserver((list) => window.races.push(...list.getEntriesByName("race").map((one) => one.duration)))
    .observe({ type: "measure" });
}"""
SLIDE = """async (count) => {
  window.races = [];
  const slider = document.querySelector(".card input[type=range]");
  for (let slide = 0; slide < count; slide += 1) {
    slider.value = 200 + slide;
    slider.dispatchEvent(new Event("input"));
    await new Promise((done) => setTimeout(done, 150));
  }
  return window.races;
}"""
FIRST_BALL = """async (formula) => {
  const loss = document.querySelector(".card strong");
  const before = loss.textContent;
  const field = document.getElementById("formula");
  field.value = formula;
  const begin = performance.now();
  field.dispatchEvent(new Event("change"));
  while (loss.textContent === before) await new Promise((done) => requestAnimationFrame(done));
  return (performance.now() - begin) / 1000;
}"""
# From the beginning of the navigation.
LISTED = """() => new Promise((done) => {
  const look = () => {
    if (document.querySelectorAll(".space .row").length) done(performance.now());
    else requestAnimationFrame(look);
  };
  look();
})"""
SCROLLED = """async (frames) => {
  const scroller = document.querySelector(".scroller");
  const next = () => new Promise((done) => requestAnimationFrame(done));
  let [before, longest] = [await next(), 0];
  for (let frame = 0; frame < frames; frame += 1) {
    scroller.scrollTop += 340;
    const now = await next();
    longest = Math.max(longest, now - before);
    before = now;
  }
  return longest;
}"""
CURVE = """async () => {
  const { Chart } = await import("/static/picture/chart.js");
  const { Trail } = await import("/static/picture/trail.js");
  const steps = 1_000_000;
  const rows = Float32Array.from({ length: 4 * (steps + 1) }, (_, at) => 1 + Math.sin(at) + 1e6 / (1 + at));
  const trails = [new Trail(rows, { limit: null, says: "" })];
  const chart = new Chart(document.getElementById("loss"), { onStep: () => {} });
  const begin = performance.now();
  chart.draw({ balls: [{ mark: 0 }], trails, step: 0, steps });
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begin;
}"""

# The page measures each picture that it draws; what is between two of them is what one sees.
PLAY = """async (count) => {
  const drawn = [];
  new PerformanceObserver((list) => {
    drawn.push(...list.getEntriesByName("playground").map((one) => one.startTime + one.duration));
  }).observe({ type: "measure" });
  document.getElementById("play").click();
  while (drawn.length < 2) await new Promise((done) => setTimeout(done, 100));
  drawn.length = 0;
  while (drawn.length < count) await new Promise((done) => setTimeout(done, 100));
  document.getElementById("play").click();
  return drawn.slice(1).map((at, index) => at - drawn[index]);
}"""
PICTURES = 300


def rows() -> Iterator[Row]:
    """Sliders, drags, new formulas, a long curve."""
    with _page() as page:
        page.evaluate(LISTEN)
        yield from _latencies("slider", page.evaluate(SLIDE, SLIDES))
        yield from _latencies("drag", _dragged(page))
        formulas = [f"x^2 + {1.5 + new}*y^2 + sin(3*x) + {new + 1}" for new in range(FORMULAS)]
        seconds = [page.evaluate(FIRST_BALL, formula) for formula in formulas]
        yield Row("a new formula", "the bar", "first ball", "s", statistics.median(seconds), FIRST_BALL_BAR)
        drawn = [page.evaluate(CURVE) for _ in range(CURVES)]
        yield Row("a curve of 1e6 steps", "the bar", "drawn", "ms", statistics.median(drawn), CURVE_BAR)
        page.goto(f"{page.url.partition('#')[0]}playground#playground={_spiral()}")
        page.locator("#score", has_text="Loss").wait_for(timeout=60_000)
        apart = page.evaluate(PLAY, PICTURES)
        workload = "the spiral, 2 layers of 8 units"
        yield Row(workload, "the bar", "playground frame, median", "ms", statistics.median(apart), PICTURE_BAR)
        slow = statistics.quantiles(apart, n=20)[-1]
        yield Row(workload, "the bar", "playground frame, p95", "ms", slow, PICTURE_BAR)
    with tempfile.TemporaryDirectory() as folder:
        _make_runs(Path(folder))
        yield from _listed(Path(folder))


def _spiral() -> str:
    """The setting as a link has it."""
    setting = {"data": {"toy": "spiral", "count": 400, "noise": 0.2},
               "network": {"features": ["x", "y"], "layers": [8, 8], "activation": "tanh"}}  # fmt: skip
    return base64.urlsafe_b64encode(json.dumps(setting).encode()).decode().rstrip("=")


def _make_runs(folder: Path) -> None:
    """So many runs, made of two that `descend fit` trains."""
    made = []
    for rate in ("0.02", "0.1"):
        run = folder / f"rate-{rate}"
        options = ["--target", "target", "--model", "mlp", "--optimizer", "sgd", "--learning-rate", rate]
        subprocess.run([*COMMAND, "fit", "sample:wine", *options, "--epochs", "8", "--quiet", "--out", str(run)],
                       check=True)
        made.append(run)
    for number in range(RUNS - len(made)):
        copy = folder / f"run-{number:04}"
        # Of reports and checkpoints, which are megabytes each, the list asks no more than whether they are there.
        shutil.copytree(made[number % 2], copy, ignore=shutil.ignore_patterns("checkpoints", "*.html"))
        asked = json.loads((copy / "run.json").read_bytes())
        asked["settings"]["seed"] = number
        (copy / "run.json").write_text(json.dumps(asked))


def _listed(folder: Path) -> Iterator[Row]:
    with _page(str(folder), ready=".space .row") as page:
        seconds, frames = [], []
        for _ in range(LOADS):
            page.reload()
            seconds.append(page.evaluate(LISTED))
            page.wait_for_timeout(1000)
            frames.append(page.evaluate(SCROLLED, FRAMES))
        yield Row(f"{RUNS:,} runs", "the bar", "listed", "ms", statistics.median(seconds), LISTED_BAR)
        yield Row(f"{RUNS:,} runs", "the bar", "longest frame", "ms", statistics.median(frames), FRAME_BAR)


def _latencies(how: str, milliseconds: Sequence[float]) -> Iterator[Row]:
    yield Row(RACE, "the bar", f"{how}, median", "ms", statistics.median(milliseconds), MEDIAN_BAR)
    yield Row(RACE, "the bar", f"{how}, p95", "ms", statistics.quantiles(milliseconds, n=20)[-1], P95_BAR)


def _dragged(page: Any) -> list[float]:
    page.evaluate("() => { window.races = []; }")
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 100, box["y"] + box["height"] - 100, steps=DRAGS)
    page.mouse.up()
    page.wait_for_timeout(1000)
    return page.evaluate("() => window.races")


@contextmanager
def _page(*opened: str, ready: str = "#status:has-text('engine')") -> Iterator[Any]:
    """The page of a studio that runs as a process of its own, once something is there."""
    from playwright.sync_api import sync_playwright

    command = [*COMMAND, "studio", "--no-browser", *opened]
    studio = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        address = re.search(r"http\S+", studio.stdout.readline())[0]  # type: ignore[index,union-attr]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
            page.goto(address)
            page.locator(ready).first.wait_for(timeout=60_000)
            yield page
            browser.close()
    finally:
        studio.terminate()
        studio.wait()
