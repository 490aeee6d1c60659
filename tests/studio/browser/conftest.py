"""A studio that runs, and pages of it in the system's Chromium."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from descend.studio.opened import Opened

collect_ignore_glob = [] if find_spec("playwright") else ["test_*"]


@contextmanager
def served(what: "Opened") -> Iterator[str]:
    """The origin of a studio, served by a thread of this process."""
    import uvicorn

    from descend.studio.rooms import places
    from descend.studio.server import application, listening
    from descend.studio.threads import Threads
    from studio_page import TOKEN

    with listening(0) as socket, Threads() as threads:
        port = socket.getsockname()[1]
        app = application(TOKEN, port, places(what), threads)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([socket],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def studio() -> Iterator[str]:
    """A studio in which nothing is opened."""
    from descend.studio.opened import Opened

    with served(Opened()) as origin:
        yield origin


@pytest.fixture
def serving():
    """Serves a studio of its own for folders of runs, or a table."""
    from descend.studio.opened import Opened

    return lambda *folders, table=None: served(Opened("runs", runs=folders, table=table))


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium: none is downloaded."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or pytest.skip("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, studio):
    """Opens pages: `opened(width=390, color_scheme="dark")`. At the end none may have said an error on its console, nor
    asked anybody but the studio for anything."""
    from studio_page import TOKEN, is_answered

    contexts, wrong, origins = [], [], {studio}

    def open_page(address=f"/#token={TOKEN}", *, width=1280, height=800, waits_for="done", **settings):
        settings = {"reduced_motion": "reduce"} | settings
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(f"{error}"))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: wrong.append(request.url) if not own(request.url) else None)
        if address.startswith("http://127.0.0.1:"):
            # Of a studio of its own.
            origins.add(address.partition("/")[0] + "//" + address.split("/")[2])
        page.goto(address if "://" in address else studio + address)
        if waits_for == "done":
            is_answered(page)
        return page

    def own(url):
        # The studio goes by two names; a page of one is another origin than a page of the other.
        names = [origin.replace("127.0.0.1", name) for origin in origins for name in ("127.0.0.1", "localhost")]
        return url.startswith((*names, *(name.replace("http", "ws") for name in names), "file:", "data:", "blob:"))

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
