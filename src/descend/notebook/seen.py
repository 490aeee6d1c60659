"""What a page would be shown of a race, and a picture of it for whoever cannot show a page."""

import io
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from descend.studio.messages import Room, request_of
from descend.studio.racing.gallery import Point, Window

CELLS = (240, 180)
# Drawn twice as large, and made smaller, which smooths its lines.
PIXELS, SMOOTHED = (720, 540), 2
# From the floor to the heights, and the balls, as in the studio's style sheet.
DEPTHS = np.array([[251, 253, 255], [201, 220, 238], [127, 159, 194]], float)
BALL_COLOURS = ("#0072b2", "#cf5a00", "#007a58", "#b14e8b", "#946800", "#39424e", "#6f57c0", "#8a4420")
BANDS = 18


@dataclass(frozen=True)
class Seen:
    """A surface over a window, a row of heights for each y; and a row for each step of each ball: x, y and its loss."""

    window: Window
    heights: np.ndarray
    ways: tuple[np.ndarray, ...]
    minima: Sequence[Point]

    def png(self) -> bytes:
        """The surface in bands, with the ways and the balls at their ends."""
        size = (SMOOTHED * PIXELS[0], SMOOTHED * PIXELS[1])
        image = Image.fromarray(_bands(self.heights)[::-1]).resize(size, Image.Resampling.NEAREST)
        draw = ImageDraw.Draw(image)
        for minimum in self.minima:
            x, y = self._pixels(np.array([minimum]))[0]
            draw.line([(x - 10, y - 10), (x + 10, y + 10)], "#17202c", 4)
            draw.line([(x - 10, y + 10), (x + 10, y - 10)], "#17202c", 4)
        for way, colour in zip(self.ways, BALL_COLOURS, strict=False):
            draw.line([tuple(place) for place in self._pixels(way)], colour, 5, joint="curve")
        for i, (way, colour) in enumerate(zip(self.ways, BALL_COLOURS, strict=False)):
            _ball(draw, tuple(self._pixels(way)[-1]), colour, "ABCDEFGH"[i])
        written = io.BytesIO()
        image.resize(PIXELS, Image.Resampling.LANCZOS).save(written, "PNG", optimize=True)
        return written.getvalue()

    def _pixels(self, way: np.ndarray) -> np.ndarray:
        """Where points are, and at the edge those that are outside."""
        x0, x1, y0, y1 = self.window
        size = SMOOTHED * np.array(PIXELS)
        places = way[np.isfinite(way).all(axis=1), :2]
        return np.clip((places - [x0, y1]) / [x1 - x0, y0 - y1], 0.0, 1.0) * size


def seen(room: Room, asked: Mapping[str, Any], minima: Sequence[Point]) -> Seen:
    """What the room answers to a race: what is wrong with it is told here, where it was written."""
    window, ways = asked.get("window"), []
    for header, body in _answer(room, {**asked, "kind": "race", "id": 1}):
        window = header["window"] if header["kind"] == "plane" else window
        ways += [body.reshape(-1, 4)[:, :3]] if header["kind"] == "ball" else []
    *_, (header, heights) = _answer(room, {**asked, "window": window, "size": CELLS, "kind": "surface", "id": 2})
    return Seen(tuple(header["window"]), heights.reshape(header["size"][::-1]), tuple(ways), minima)


def _answer(room: Room, asked: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    for made in room.frames(request_of(json.dumps(asked), room)[1], lambda: False):
        (length,) = struct.unpack_from("<I", made)
        yield json.loads(made[4 : 4 + length]), np.frombuffer(made[4 + length :], "<f4")


def _bands(heights: np.ndarray) -> np.ndarray:
    """Colours of levels that are even in the logarithm of the height above the lowest point."""
    above = heights - np.nanmin(heights, initial=np.inf)
    unit = float(np.nanmedian(above)) / 10 or 1.0
    levels = np.log1p(above / unit) / (np.log1p(np.nanmax(above, initial=0.0) / unit) or 1.0)
    place = np.nan_to_num(np.floor(levels * BANDS).clip(0, BANDS - 1)) / (BANDS - 1) * (len(DEPTHS) - 1)
    low = np.minimum(place.astype(int), len(DEPTHS) - 2)
    part = (place - low)[..., None]
    return (DEPTHS[low] * (1 - part) + DEPTHS[low + 1] * part).round().astype(np.uint8)


def _ball(draw: ImageDraw.ImageDraw, at: tuple[float, float], colour: str, letter: str) -> None:
    x, y = at
    draw.ellipse([x - 20, y - 20, x + 20, y + 20], colour, "#ffffff", 4)
    draw.text((x, y), letter, "#ffffff", ImageFont.load_default(24), anchor="mm")
