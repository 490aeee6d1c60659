"""Reports of runs, for pages that have asked for them: files of anybody's, shown where they can reach nothing."""

import secrets
import time
from collections import OrderedDict
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

# What a report may do: run its own scripts, without an origin, and ask nobody for anything.
POLICY = ("sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
          "img-src data: blob:; font-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'")
SECONDS, MAX_TICKETS = 60.0, 64


class Reports:
    """Files that were asked for over a websocket, whose first message had the token, under an address that cannot be
    guessed and is of use once."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, tuple[Path, float]] = OrderedDict()

    def ticket(self, file: Path) -> str:
        """The address of a file, for a minute."""
        made = secrets.token_urlsafe()
        self._tickets[made] = file, time.monotonic() + SECONDS
        while len(self._tickets) > MAX_TICKETS:
            self._tickets.popitem(last=False)
        return f"/report/{made}"

    def routes(self) -> tuple[BaseRoute, ...]:
        """Where they are served."""
        return (Route("/report/{ticket}", self._serve),)

    async def _serve(self, request: Request) -> Response:
        file, end = self._tickets.pop(request.path_params["ticket"], (Path(), 0.0))
        # A link may lead to what is no report, and a pipe to nothing that ends.
        if time.monotonic() > end or file.is_symlink() or not file.is_file():
            return PlainTextResponse("this report was shown already, or is gone: open it again on the page", 404)
        return FileResponse(file, media_type="text/html", headers={"content-security-policy": POLICY})
