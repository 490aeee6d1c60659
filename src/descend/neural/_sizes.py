"""The sizes that language models come in."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from descend.errors import InputError
from descend.neural._gpt import Shape

# Of the learning rate, for weights that were trained before: what they know is not to be undone by the first steps.
FINE_TUNING_SHARE = 0.3


@dataclass(frozen=True)
class Size:
    """The settings that go with a name."""

    layers: int
    heads: int
    width: int
    context: int
    batch_size: int
    learning_rate: float


SIZES = {
    "tiny": Size(2, 2, 64, 32, 16, 3e-3),
    "small": Size(4, 4, 128, 64, 12, 2e-3),
    "medium": Size(6, 6, 384, 256, 32, 1e-3),
    "large": Size(12, 12, 768, 512, 32, 6e-4),
}


def size_named(name: str, positions: str, given: dict[str, Any]) -> Size:
    """The size of this name, with what is `given` instead.

    **Raises** `InputError` for what means nothing.
    """
    if name not in SIZES:
        raise InputError(f"size must be one of {', '.join(SIZES)}, but is {name!r}")
    size = dataclasses.replace(SIZES[name], **given)
    for field, least in (("layers", 1), ("heads", 1), ("width", 1), ("context", 2), ("batch_size", 1)):
        if getattr(size, field) < least:
            raise InputError(f"{field} must be at least {least}, but is {getattr(size, field)}")
    if positions not in ("rotary", "learned"):
        raise InputError(f"positions must be rotary or learned, but is {positions!r}")
    unit = size.heads * (2 if positions == "rotary" else 1)
    if size.width % unit:
        raise InputError(f"width must be a multiple of {unit} for {size.heads} heads, but is {size.width}")
    return size


def size_of_trained(shape: Shape, batch_size: int | None) -> Size:
    """How a network of this shape is trained further: as the largest size that is not wider, but in smaller steps."""
    like = max((size for size in SIZES.values() if size.width <= shape.width), key=lambda size: size.width,
               default=SIZES["tiny"])
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size must be at least 1, but is {batch_size}")
    return Size(shape.layers, shape.heads, shape.width, shape.context, batch_size or like.batch_size,
                FINE_TUNING_SHARE * like.learning_rate)
