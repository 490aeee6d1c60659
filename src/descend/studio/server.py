"""The server: the page, its modules and one websocket, for this computer alone.

Secured as Jupyter is. It listens on the loopback. Whoever asks must name it as its user does (Host), which keeps out
names that a stranger's DNS points here; a websocket must come from its own page (Origin); and the first message must
have the token, which is in the fragment of the address, so that it is sent to nobody.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import plotly
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope
from starlette.types import Send as ASGISend
from starlette.websockets import WebSocket, WebSocketDisconnect

from descend.errors import InputError
from descend.studio.messages import MAX_BYTES, MessageError, hello_of, refusal
from descend.studio.rooms import Place, welcome
from descend.studio.session import Session
from descend.studio.threads import Threads

LOOPBACK = "127.0.0.1"
STATIC = Path(__file__).parent / "static"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
HELLO_SECONDS = 5.0
MAX_SOCKETS = 8
# Why a socket is closed, as RFC 6455 numbers it.
REFUSED, TOO_LARGE, TRY_LATER = 1008, 1009, 1013
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                               "object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class Guarded:
    """The application for those who name it as its user does; whatever it answers has the headers of security."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        given = Headers(scope=scope)
        if given.get("host") not in self.hosts:
            return await self._refused(scope, receive, send, "this is not the name of the studio: open the address "
                                       "that descend studio printed")
        is_own = given.get("origin") == f"http://{given['host']}"
        if scope["type"] == "websocket" and not is_own:
            return await self._refused(scope, receive, send, "only the studio's own page may ask")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = Headers(raw=message["headers"])
                # What somebody else's page may do is another matter than what ours may.
                missing = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k not in given]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self.app(scope, receive, with_headers)

    async def _refused(self, scope: Scope, receive: Receive, send: ASGISend, says: str) -> None:
        if scope["type"] == "websocket":
            await receive()
            # Before it was accepted: the handshake is answered with 403.
            return await send({"type": "websocket.close", "code": REFUSED})
        await PlainTextResponse(says, 403, HEADERS)(scope, receive, send)


class Studio:
    """What the pages that are open share: the token, the rooms, and the threads that answer."""

    def __init__(self, token: str, places: tuple[Place, ...], threads: Threads) -> None:
        self.token, self.places, self.threads = token, places, threads
        self.sockets = 0

    def routes(self) -> list[BaseRoute]:
        """A page for each room, and what all of them need."""
        pages = [Route(place.path, _page_of(place)) for place in self.places]
        return [
            *pages,
            *(route for place in self.places for route in place.routes),
            Route("/plotly.js", self.plotly),
            Mount("/static", StaticFiles(directory=STATIC)),
            WebSocketRoute("/ws", self.websocket),
        ]

    async def plotly(self, request: Request) -> Response:
        """Plotly's script, out of its wheel."""
        return FileResponse(PLOTLY, media_type="text/javascript")

    async def websocket(self, socket: WebSocket) -> None:
        """One page that is open, from its hello to its end."""
        await socket.accept()
        if self.sockets >= MAX_SOCKETS:
            await socket.send_bytes(refusal(f"{MAX_SOCKETS} pages are open already: close one"))
            return await socket.close(TRY_LATER)
        self.sockets += 1
        try:
            if (place := await self._place_of(socket)) is not None:
                await self._talk(socket, place)
        except WebSocketDisconnect:
            pass
        finally:
            self.sockets -= 1

    async def _place_of(self, socket: WebSocket) -> Place | None:
        """The room of a page whose first message came in time and has the token; else the socket is closed."""
        says = "the token is wrong: open the address that descend studio printed"
        try:
            hello = hello_of(await asyncio.wait_for(_text(socket), HELLO_SECONDS))
            # In a time that does not tell how much of it is right.
            if secrets.compare_digest(hello.token.encode(errors="replace"), self.token.encode()):
                if found := [place for place in self.places if place.name == hello.room]:
                    return found[0]
                says = "this studio has no such room: open the address that it printed"
        except TimeoutError:
            says = f"no hello came within {HELLO_SECONDS:g} seconds: load the page again"
        except MessageError:
            pass
        await socket.send_bytes(refusal(says))
        await socket.close(REFUSED)
        return None

    async def _talk(self, socket: WebSocket, place: Place) -> None:
        """Take messages and answer them, until the page goes."""
        room = place.enter()
        session = Session(socket.send_bytes, self.threads, room)
        await socket.send_bytes(welcome(self.places, room))
        answering = [asyncio.create_task(session.answer(lane)) for lane in room.lanes]
        try:
            while True:
                await session.take(await _text(socket))
        finally:
            room.close()
            for lane in answering:
                lane.cancel()
            # They may have ended before, at a page that was gone.
            await asyncio.gather(*answering, return_exceptions=True)


def _page_of(place: Place) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(STATIC / place.name / "index.html")

    return page


async def _text(socket: WebSocket) -> str:
    """The next message; bytes are none of the page's, and refused as it would be without them."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    if text is None:
        return ""
    if len(text) > MAX_BYTES:
        await socket.close(TOO_LARGE)
        raise WebSocketDisconnect(TOO_LARGE)
    return text


def application(token: str, port: int, places: tuple[Place, ...], threads: Threads) -> Guarded:
    """The application of a studio under this token, on this port, with these rooms."""
    return Guarded(Starlette(routes=Studio(token, places, threads).routes()), port)


def listening(port: int) -> socket.socket:
    """A socket on the loopback, on this port, or with 0 on any that is free.

    **Raises** `InputError` for a port that is taken, or not ours to take.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # So that a studio may follow another on its port at once. Elsewhere than on POSIX, two could listen on one port.
    if os.name == "posix":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen()
    except OSError as error:
        made.close()
        raise InputError(f"port {port} cannot be used ({error.strerror}): give another --port, or none") from error
    return made


def address(port: int, token: str, path: str = "/") -> str:
    """What to open in a browser: the page of a room."""
    return f"http://{LOOPBACK}:{port}{path}#token={token}"


def serve(on: socket.socket, token: str, places: tuple[Place, ...]) -> None:
    """Serve on a socket that listens, until Ctrl-C."""
    with Threads() as threads:
        app = application(token, on.getsockname()[1], places, threads)
        config = uvicorn.Config(
            app, log_level="error", lifespan="off", proxy_headers=False, server_header=False, ws_max_size=MAX_BYTES,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run([on])
