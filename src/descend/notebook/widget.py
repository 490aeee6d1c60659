"""A room of the studio as a widget: its page in a frame, and its messages over the widget's own channel."""

import base64
from typing import Any

import anywidget
import traitlets

from descend.errors import DescendError
from descend.notebook.page import page_of
from descend.notebook.seen import Seen
from descend.studio.messages import MAX_BYTES, MessageError, Room, frame, hello_of, refusal, request_of

# What hands messages on between the frame and the kernel. The frame has no origin of its own: it reaches nothing of the
# notebook.
HANDS_ON = """
export default {
  render({ model, el }) {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.title = "descend studio";
    frame.style.cssText = `width: 100%; height: ${model.get("height")}px; border: 0`;
    frame.srcdoc = model.get("page");
    const up = ({ source, data }) => {
      if (source === frame.contentWindow && typeof data === "string") model.send({ asked: data });
    };
    const down = (content, buffers) => {
      for (const { buffer, byteOffset, byteLength } of buffers) {
        frame.contentWindow?.postMessage(buffer.slice(byteOffset, byteOffset + byteLength), "*");
      }
    };
    addEventListener("message", up);
    model.on("msg:custom", down);
    el.append(frame);
    return () => {
      removeEventListener("message", up);
      model.off("msg:custom", down);
    };
  },
};
"""


class RaceWidget(anywidget.AnyWidget):
    """A race in a notebook. It answers its own page; a notebook that cannot show it has its picture.

    `height`: of its frame, in pixels. `seen`: the race as it began, its surface and the ways of its balls.
    """

    _esm = HANDS_ON
    page = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(860).tag(sync=True)

    def __init__(self, name: str, room: Room, race: str, seen: Seen) -> None:
        super().__init__(page=page_of(name, race))
        self._room, self.seen = room, seen
        self.on_msg(self._answer)

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        """Answer a message of the page, each frame as soon as it is there."""
        text = content.get("asked") if isinstance(content, dict) else None
        for made in self._frames(text if isinstance(text, str) and len(text) <= MAX_BYTES else ""):
            self.send({"kind": "frame"}, buffers=[made])

    def _frames(self, text: str) -> Any:
        if _is_hello(text):
            yield frame({"kind": "welcome", "rooms": [], "version": "", **self._room.welcome()})
            return
        id = None
        try:
            _, request = request_of(text, self._room)
            id = request.id
            yield from self._room.frames(request, lambda: False)
        except DescendError as error:
            yield refusal(str(error), error.id if isinstance(error, MessageError) else id)
        # Whatever a loss of somebody's raises: the page would wait for ever.
        except Exception as error:
            yield refusal(f"{type(error).__name__}: {error}", id)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget and, for whoever cannot show one, a picture."""
        found = super()._repr_mimebundle_(**kwargs)
        if found is not None:
            found[0]["image/png"] = base64.b64encode(self.seen.png()).decode()
        return found


def _is_hello(text: str) -> bool:
    try:
        hello_of(text)
    except MessageError:
        return False
    return True
