"""What size pictures are brought to: their own, unless that would take too long."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Pixels along the shorter side, at the most; and how many times the square of that a long picture may have.
MOST_SIDE, LONGEST = 128, 4
# Pixels that all pictures have together, at the most: networks see each of them 14 times or more. However many there
# are, the square of so many is left to each.
MOST_PIXELS, SIDE_OF_MANY = 4e7, 64

# Height and width.
Size = tuple[int, int]


@dataclass(frozen=True)
class Chosen:
    """The size that all pictures are brought to, and what is to be said of it."""

    size: Size
    note: str


def size_for(sizes: Sequence[Size], count: int) -> Chosen:
    """The size for pictures of these sizes, of which there are so many in all.

    Where all have one size it is that, or as much of it as there is time for. Of several sizes, it is a square with the
    median of the shorter sides, so that few are blown up.

    >>> size_for([(24, 24), (32, 48), (20, 30)], 3).size
    (24, 24)
    """
    own, had = _had(sizes)
    scale, why = min(_limits(own, count))
    size = max(round(scale * own[0]), 1), max(round(scale * own[1]), 1)
    if set(sizes) == {size}:
        return Chosen(size, f"{had}, taken as they are")
    # What is not of the same shape is cut, and few would think of that who look for the reason of a mistake.
    cut = [size for size in sizes if size[0] * own[1] != size[1] * own[0]]
    more = [why] if size != own else []
    more += [f"{len(cut):,} of them cut to that shape"] if cut else []
    return Chosen(size, ", ".join([f"{had}: brought to {_told(size)}", *more]))


def _had(sizes: Sequence[Size]) -> tuple[Size, str]:
    """What size would be best if time did not matter, and what is said of the sizes."""
    several = len(set(sizes))
    if several == 1:
        return sizes[0], f"pictures of {_told(sizes[0])} pixels (height×width)"
    side = int(np.median([min(size) for size in sizes]))
    return (side, side), f"pictures of {several:,} sizes, half of them of {side:,} pixels or more on the shorter side"


def _limits(own: Size, count: int) -> list[tuple[float, str]]:
    """What a side may be multiplied by, and why it may not be by more."""
    # Of a picture as thin as a line, a side of one pixel stays one.
    by_area = lambda most: min(math.sqrt(most / math.prod(own)), most / max(own))
    return [
        (1.0, ""),
        (MOST_SIDE / min(own), "the largest that is taken"),
        (by_area(LONGEST * MOST_SIDE**2), "as longer ones would take too long"),
        (by_area(max(MOST_PIXELS / count, SIDE_OF_MANY**2)), f"as {count:,} larger ones would take too long"),
    ]


def _told(size: Size) -> str:
    return f"{size[0]:,}×{size[1]:,}"
