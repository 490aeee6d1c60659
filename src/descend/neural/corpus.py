"""A text as one stream of tokens, and windows of it as a source of batches."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._shuffle import seed_of
from descend._text import as_utf8
from descend._tree import Tree
from descend.errors import InputError
from descend.schedules import fixed, setting
from descend.sources import Feed
from descend.sources.batches import MAX_FED_EXAMPLES, MAX_FED_STEPS, Place, first_place, next_examples, place_after

# A text, or the file that it is in: a `str` is always the text itself, so that no text is taken for a path.
Text = str | bytes | Path


def read_text(text: Text) -> bytes:
    """The bytes of a text; those of a file that says that it is in UTF-16 or UTF-32, in UTF-8.

    **Raises** `InputError` if there is no such file, or nothing in it.
    """
    if isinstance(text, Path):
        where = f"'{text}'"
        try:
            raw = as_utf8(text.read_bytes(), where)
        except FileNotFoundError:
            raise InputError(f"no file {where}: check the path") from None
        except IsADirectoryError:
            raise InputError(f"{where} is a folder: name one text file") from None
        except OSError as error:
            raise InputError(f"{where} cannot be read: {error.strerror or error}") from None
    else:
        where, raw = "the text", text.encode() if isinstance(text, str) else text
    if not raw:
        raise InputError(f"{where} is empty: there is nothing to learn from")
    return raw


@setting
class Windows:
    """Windows of a stream of tokens, each with the tokens that come one later: `(inputs, targets)`.

    An epoch is cut into windows that lie side by side, beginning anywhere, and they come in an order that is a function
    of (seed, epoch); so all tokens are seen equally often, each epoch in other surroundings. Nothing of the stream is
    copied but the windows of a step.

    `data`: the stream. `length`: of a window. `batch_size`: windows a step.

    >>> source = Windows(np.arange(100, dtype=np.uint8), length=4, batch_size=2)
    >>> (inputs, targets), cursor = source.draw(source.init(jax.random.key(0)), None)
    >>> inputs.shape, bool((targets == inputs + 1).all()), source.steps_per_epoch
    ((2, 4), True, 12.0)

    **Raises** `InputError` if the stream has no room for a window.
    """

    data: Any
    length: int = fixed()
    batch_size: int = fixed()

    def init(self, key: jax.Array) -> Place:
        """The beginning of the first epoch."""
        return first_place(key)

    def draw(self, cursor: Place, params: Tree) -> tuple[Any, Place]:
        """The next windows."""
        feed = self.feed(cursor, params, 1)
        return self.batch(jnp.asarray(feed.draws[0])), feed.after(1)

    def feed(self, cursor: Place, params: Tree, most: int) -> Feed:
        """Where the windows of the next draws begin."""
        size, windows = self.batch_size, self._windows
        room = max(1, min(MAX_FED_STEPS, MAX_FED_EXAMPLES // size))
        count = min(most, room)
        number = next_examples(cursor, count * size, windows, shuffle=True).reshape(count, size)
        epoch = (int(cursor.epoch) + (int(cursor.position) + size * np.arange(count)) // windows).astype(np.uint32)
        # Where the windows of each epoch begin: another place each time, or the same tokens would always be a window's
        # last and first. The hash counts modulo 2³².
        with np.errstate(over="ignore"):
            begin = seed_of([np.full(count, cursor.seed), epoch, np.zeros(count, np.uint32)])
        # Where a window can begin. In 64 bits, as the product of a number and a length may be beyond 32.
        places = len(self.data) - self.length
        starts = np.zeros((room, size), np.uint32)
        starts[:count] = (begin[:, None].astype(np.uint64) + number.astype(np.uint64) * self.length) % places
        return Feed(starts, count, lambda made: place_after(cursor, made * size, windows))

    def batch(self, draw: jax.Array) -> Any:
        """The windows that begin at these places."""
        cut = lambda start: jax.lax.dynamic_slice(jnp.asarray(self.data), (start,), (self.length + 1,))
        windows = jax.vmap(cut)(draw).astype(jnp.int32)
        return windows[:, :-1], windows[:, 1:]

    @property
    def steps_per_epoch(self) -> float:
        """How many steps see all tokens once, but for those at the end that fill no window."""
        return self._windows / self.batch_size

    @property
    def _windows(self) -> int:
        return max(1, (len(self.data) - 1) // self.length)


def validation_windows(
    tokens: np.ndarray, length: int, most: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows that cover a stream (inputs, targets), and which of their targets count, so that each does once.

    Each begins half a window after the one before, and counts where that one had not come yet, so that what counts has
    something before it. `most`: no more tokens than so many, in windows that are spread evenly.
    """
    last = len(tokens) - 1 - length
    # A short one is filled up with what counts nothing.
    if last < 0:
        tokens = np.concatenate([tokens, np.zeros(-last, tokens.dtype)])
    starts = np.unique(np.append(np.arange(0, max(last, 0) + 1, max(1, length // 2)), max(last, 0)))
    # What the windows before have counted.
    ends = np.concatenate([[0], starts[:-1] + length])
    if most is not None and len(starts) > (count := max(1, most // length)):
        chosen = np.linspace(0, len(starts) - 1, count).astype(int)
        starts, ends = starts[chosen], ends[chosen]
    place = starts[:, None] + np.arange(length + 1)
    windows = tokens[place]
    counts = (place[:, :-1] >= ends[:, None]) & (place[:, 1:] < len(tokens) + min(last, 0))
    return windows[:, :-1].astype(np.int32), windows[:, 1:].astype(np.int32), counts.astype(np.float32)
