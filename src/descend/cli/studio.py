"""`descend studio`: gradient descent to play with, in a browser."""

import contextlib
import secrets
import webbrowser
from typing import Annotated

from typer import Argument, Option

from descend.cli._console import write
from descend.errors import InputError

MAX_PORT = 65535


def studio(
    what: Annotated[
        list[str] | None, Argument(help="A table (CSV and its kin), folders of runs, a .py file with a loss, or none.")
    ] = None,
    data: Annotated[
        list[str] | None, Option(help="What runs were trained on, where that lies elsewhere by now; may be repeated.")
    ] = None,
    port: Annotated[int, Option(help="The port to listen on, on this computer alone; 0: any that is free.")] = 0,
    no_browser: Annotated[bool, Option("--no-browser", help="Open no browser: print the address, and serve.")] = False,
) -> None:
    """See gradient descent move: optimizers race on a function of yours, in a browser. Ctrl-C ends it."""
    if not 0 <= port <= MAX_PORT:
        raise InputError(f"--port must be a number from 0 to {MAX_PORT}, but is {port}")
    try:
        from descend.studio.opened import opened
        from descend.studio.rooms import places
        from descend.studio.server import address, listening, serve
    except ModuleNotFoundError as error:
        raise InputError(f"this needs {error.name}, which is not installed: pip install 'descend[studio]'") from None
    shown = opened(what or [], data or [])
    rooms = places(shown)
    path = next(room.path for room in rooms if room.name == shown.first)
    with listening(port) as socket, contextlib.suppress(KeyboardInterrupt):
        # Known to those alone who read it here: nobody else on this computer gets in.
        token = secrets.token_urlsafe()
        url = address(socket.getsockname()[1], token, path)
        write(f"descend studio: {url}")
        if not no_browser:
            webbrowser.open(url)
        serve(socket, token, rooms)
