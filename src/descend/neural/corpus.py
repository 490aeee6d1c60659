"""A text as one stream of tokens, and windows of it as a source of batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from descend._shuffle import seed_of
from descend._text import as_utf8
from descend._tree import Tree
from descend.errors import InputError
from descend.neural.filed_tokens import FiledTokens, Tokens, cut
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
        with readable(text):
            raw = as_utf8(text.read_bytes(), where)
    else:
        where, raw = "the text", text.encode() if isinstance(text, str) else text
    if not raw:
        raise nothing_in(where)
    return raw


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Makes it an `InputError` if the file cannot be read."""
    where = f"'{path}'"
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"no file {where}: check the path") from None
    except IsADirectoryError:
        raise InputError(f"{where} is a folder: name one text file") from None
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}") from None


def nothing_in(where: str) -> InputError:
    """What is said of a text that has no letter."""
    return InputError(f"{where} is empty: there is nothing to learn from")


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
        starts = np.zeros((room, size), np.uint32)
        starts[:count] = _starts(cursor, count, size, windows, self.length, len(self.data))
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
        return _count(self.data, self.length)


class FiledWindows:
    """The same windows of a stream that is larger than memory, in the same order: those of a step are read from where
    they lie. `told`: what a checkpoint knows the stream again by.
    """

    on_host = True

    def __init__(self, data: FiledTokens, length: int, batch_size: int, told: str = ""):
        self._tokens, self._length, self.batch_size = data, length, batch_size
        self._windows = _count(data, length)
        self.identity = f"{type(self).__name__} of {len(data)} tokens, {length} each: {told}"

    def init(self, key: jax.Array) -> Place:
        """The beginning of the first epoch."""
        return first_place(key)

    def draw(self, cursor: Place, params: Tree) -> tuple[Any, Place]:
        """The next windows."""
        starts = _starts(cursor, 1, self.batch_size, self._windows, self._length, len(self._tokens))[0]
        windows = self._tokens.windows(starts, self._length + 1).astype(np.int32)
        return (windows[:, :-1], windows[:, 1:]), place_after(cursor, self.batch_size, self._windows)

    @property
    def steps_per_epoch(self) -> float:
        """How many steps see all tokens once, but for those at the end that fill no window."""
        return self._windows / self.batch_size


def windows_of(tokens: Tokens, length: int, batch_size: int, told: Callable[[], str]) -> Windows | FiledWindows:
    """The windows of a stream, wherever it lies."""
    if isinstance(tokens, FiledTokens):
        return FiledWindows(tokens, length, batch_size, told())
    return Windows(tokens, length, batch_size)


def _count(tokens: Any, length: int) -> int:
    """How many windows lie side by side."""
    return max(1, (len(tokens) - 1) // length)


def _starts(cursor: Place, count: int, size: int, windows: int, length: int, tokens: int) -> np.ndarray:
    """Where the windows of the next draws begin, of so many tokens."""
    number = next_examples(cursor, count * size, windows, shuffle=True).reshape(count, size)
    epoch = (int(cursor.epoch) + (int(cursor.position) + size * np.arange(count)) // windows).astype(np.uint32)
    # Where the windows of each epoch begin: another place each time, or the same tokens would always be a window's
    # last and first. The hash counts modulo 2³².
    with np.errstate(over="ignore"):
        begin = seed_of([np.full(count, cursor.seed), epoch, np.zeros(count, np.uint32)])
    # In 64 bits, as the product of a number and a length may be beyond 32.
    return (begin[:, None].astype(np.uint64) + number.astype(np.uint64) * length) % (tokens - length)


def validation_windows(
    tokens: Tokens, length: int, most: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows that cover a stream (inputs, targets), and which of their targets count, so that each does once.

    Each begins half a window after the one before, and counts where that one had not come yet, so that what counts has
    something before it. `most`: no more tokens than so many, in windows that are spread evenly.
    """
    last, stride = len(tokens) - 1 - length, max(1, length // 2)
    # A short one is filled up with what counts nothing.
    if last < 0:
        tokens = np.concatenate([cut(tokens, np.zeros(1, int), len(tokens))[0], np.zeros(-last, int)])
    count = all_of_them = 1 - max(last, 0) // -stride
    if most is not None:
        count = min(count, max(1, most // length))
    number = np.linspace(0, all_of_them - 1, count).astype(int)
    starts = np.minimum(number * stride, max(last, 0))
    # What the windows before have counted.
    ends = np.where(number > 0, (number - 1) * stride + length, 0)
    windows, place = cut(tokens, starts, length + 1), starts[:, None] + np.arange(length)
    counts = (place >= ends[:, None]) & (place < len(tokens) - 1 + min(last, 0))
    return windows[:, :-1].astype(np.int32), windows[:, 1:].astype(np.int32), counts.astype(np.float32)
