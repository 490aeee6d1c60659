"""A page that is open: its messages are taken as they come, and the latest of a kind is answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor

from descend.errors import DescendError
from descend.studio.messages import MessageError, Request, Room, given_up, refusal, request_of

Send = Callable[[bytes], Awaitable[None]]


class Session:
    """The messages of one page to its room. A newer request of a kind takes the place of one that waits, so that no
    more wait than there are kinds, however many come. Each is answered to its end, or told to be given up."""

    def __init__(self, send: Send, threads: Mapping[str, Executor], room: Room) -> None:
        self._send, self._threads, self._room = send, threads, room
        self._waiting: dict[str, Request] = {}
        self._has_come = {lane: asyncio.Event() for lane in room.lanes}

    async def take(self, text: str) -> None:
        """Take a message; one that cannot be answered is told so at once."""
        try:
            kind, request = request_of(text, self._room)
        except MessageError as error:
            await self._send(refusal(str(error), error.id))
            return
        if (older := self._waiting.pop(kind, None)) is not None:
            await self._send(given_up(older.id))
        self._waiting[kind] = request
        next(has_come for lane, has_come in self._has_come.items() if kind in self._room.lanes[lane]).set()

    async def answer(self, lane: str) -> None:
        """Answer what waits in a lane, for as long as the page is there."""
        has_come, kinds = self._has_come[lane], self._room.lanes[lane]
        while True:
            await has_come.wait()
            for kind in kinds:
                if (request := self._waiting.pop(kind, None)) is not None:
                    await self._answered(lane, kind, request)
            if not any(kind in self._waiting for kind in kinds):
                has_come.clear()

    async def _answered(self, lane: str, kind: str, request: Request) -> None:
        """Send the frames of one request, each as soon as it is there."""
        frames, loop = self._frames(kind, request), asyncio.get_running_loop()
        while (made := await loop.run_in_executor(self._threads[lane], next, frames, None)) is not None:
            await self._send(made)

    def _frames(self, kind: str, request: Request) -> Iterator[bytes]:
        """The frames of a request; what goes wrong is the last of them, and ends nothing else."""
        try:
            yield from self._room.frames(request, lambda: kind in self._waiting)
        except DescendError as error:
            yield refusal(str(error), request.id)
        except Exception as error:
            logging.getLogger("descend.studio").exception("a request could not be answered")
            says = f"this is a fault of descend, and none of yours ({type(error).__name__}): report it"
            yield refusal(says, request.id)
