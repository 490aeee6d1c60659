"""The pictures of the README and the book, taken of the real pages: `make pictures`.

    python tools/pictures.py

The studio races, `descend fit` writes a report, `descend doctor` writes a page; the system's Chromium shows them.
"""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
MAX_BYTES = 400_000
# A race: Rosenbrock's banana, with rates that all are stable there.
RACE = {
    "function": {"name": "rosenbrock"}, "window": [-2, 2, -1, 3], "start": [-1.2, 1.0], "steps": 300,
    "balls": [
        {"rule": "sgd", "settings": {"learning_rate": 0.0008}},
        {"rule": "momentum", "settings": {"learning_rate": 0.0005, "momentum": 0.9}},
        {"rule": "adagrad", "settings": {"learning_rate": 0.5}},
        {"rule": "rmsprop", "settings": {"learning_rate": 0.02}},
        {"rule": "adam", "settings": {"learning_rate": 0.1}},
        {"rule": "nadam", "settings": {"learning_rate": 0.1}},
    ],
}
FRAMES, MILLISECONDS = 36, 130
DESCEND = [sys.executable, "-c", "from descend.cli import main; main()"]


def main() -> None:
    """Take all pictures, and say how large they are."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        race(chromium)
        report(chromium, Path(folder))
        doctor(chromium, Path(folder))
        chromium.close()
    for file in sorted(PICTURES.iterdir()):
        size = file.stat().st_size
        print(f"{file.name}: {size / 1000:.0f} kB")
        assert size <= MAX_BYTES, f"{file.name} is larger than {MAX_BYTES / 1000:.0f} kB"


def race(chromium: Any) -> None:
    """A race in the studio, as a film."""
    link = base64.urlsafe_b64encode(json.dumps(RACE).encode()).decode().rstrip("=")
    with studio() as address:
        page = chromium.new_page(viewport={"width": 1120, "height": 760}, color_scheme="light")
        page.goto(f"{address}&race={link}")
        page.wait_for_selector("#picture[aria-busy=false]", timeout=60_000)
        page.wait_for_timeout(1000)
        frames = [_frame(page, round(RACE["steps"] * (i / (FRAMES - 1)) ** 1.5)) for i in range(FRAMES)]
    durations = [MILLISECONDS] * (FRAMES - 1) + [2500]
    frames[0].save(PICTURES / "race.webp", save_all=True, append_images=frames[1:], duration=durations, loop=0,
                   quality=60, method=6)


def _frame(page: Page, step: int) -> Image.Image:
    page.locator("#scrub").evaluate(
        "(one, step) => { one.value = step; one.dispatchEvent(new Event('input')); }", step)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return shot.resize((840, 570), Image.Resampling.LANCZOS)


@contextmanager
def studio() -> Iterator[str]:
    """The address of a studio that runs meanwhile."""
    running = subprocess.Popen([*DESCEND, "studio", "--no-browser"], stdout=subprocess.PIPE, text=True)
    try:
        for line in running.stdout or ():
            if found := re.search(r"http://\S+", line):
                yield found[0]
                break
    finally:
        running.terminate()
        running.wait()


def report(chromium: Any, folder: Path) -> None:
    """The report of `descend fit`."""
    descend("fit", "sample:digits", "--target", "target", "--out", str(folder / "digits"))
    _shot(chromium, folder / "digits" / "report.html", "report.png", 1000)


def doctor(chromium: Any, folder: Path) -> None:
    """The doctor's page of a run whose learning rate was too high."""
    run = str(folder / "ill")
    descend("fit", "sample:digits", "--target", "target", "--model", "mlp", "--optimizer", "adam", "--learning-rate",
            "0.5", "--epochs", "5", "--out", run)
    descend("doctor", run, "sample:digits", "--seconds", "60")
    _shot(chromium, folder / "ill" / "doctor.html", "doctor.png", 900)


def descend(*arguments: str) -> None:
    """Run a command, as its user would."""
    subprocess.run([*DESCEND, *arguments], check=True, stdout=subprocess.DEVNULL)


def _shot(chromium: Any, page_file: Path, name: str, height: int) -> None:
    """The top of a page, with few colours, so that it is small."""
    page = chromium.new_page(viewport={"width": 1000, "height": height}, color_scheme="light")
    page.goto(page_file.as_uri())
    page.wait_for_timeout(1500)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(128).save(PICTURES / name, optimize=True)


if __name__ == "__main__":
    main()
