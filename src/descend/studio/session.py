"""A page that is open: its messages are taken as they come, and the latest of a kind is answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor

from descend.errors import DescendError
from descend.studio.answers import given_up, race_frames, surface_frames
from descend.studio.messages import Hello, MessageError, RaceRequest, Request, SurfaceRequest, frame, request_of
from descend.studio.race import Courses

# Seconds, after which a race gives way to a newer one: one that compiles takes longer, that of a slider does not, so
# that while somebody drags it the last ball moves as well as the first.
PATIENCE = 0.1

Send = Callable[[bytes], Awaitable[None]]


class Session:
    """The messages of one page. A newer request of a kind takes the place of one that waits, so that no more than two
    wait, however many come. Each is answered to its end, or told to be given up."""

    def __init__(self, send: Send, engine: Executor, courses: Courses) -> None:
        self._send, self._engine, self._courses = send, engine, courses
        self._waiting: dict[type[Request], Request] = {}
        self._has_come = asyncio.Event()

    async def take(self, text: str) -> None:
        """Take a message; one that cannot be answered is told so at once."""
        try:
            request = request_of(text)
            if isinstance(request, Hello):
                raise MessageError("hello was said already: ask for a race or a surface")
        except MessageError as error:
            await self._send(refusal(str(error), error.id))
            return
        if (older := self._waiting.pop(type(request), None)) is not None:
            await self._send(given_up(older))
        self._waiting[type(request)] = request
        self._has_come.set()

    async def answer(self) -> None:
        """Answer what waits, for as long as the page is there. A surface first, as nothing is compiled for it."""
        while True:
            await self._has_come.wait()
            for kind in (SurfaceRequest, RaceRequest):
                if (request := self._waiting.pop(kind, None)) is not None:
                    await self._answered(request)
            if not self._waiting:
                self._has_come.clear()

    async def _answered(self, request: Request) -> None:
        """Send the frames of one request, each as soon as it is there."""
        frames, loop = self._frames(request), asyncio.get_running_loop()
        while (made := await loop.run_in_executor(self._engine, next, frames, None)) is not None:
            await self._send(made)

    def _frames(self, request: Request) -> Iterator[bytes]:
        """The frames of a request; what goes wrong is the last of them, and ends nothing else."""
        try:
            if isinstance(request, RaceRequest):
                is_newer = lambda seconds: RaceRequest in self._waiting and seconds > PATIENCE
                yield from race_frames(request, self._courses, is_newer)
            else:
                yield from surface_frames(request, self._courses)
        except DescendError as error:
            yield refusal(str(error), request.id)
        except Exception as error:
            logging.getLogger("descend.studio").exception("a request could not be answered")
            says = f"this is a fault of descend, and none of yours ({type(error).__name__}): report it"
            yield refusal(says, request.id)


def refusal(says: str, id: int | None = None) -> bytes:
    """The frame that says what is wrong, on one line."""
    return frame({"kind": "error", "id": id, "says": " ".join(says.split())})
