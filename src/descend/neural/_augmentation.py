"""What is done to images in training alone: moved by some pixels, and mirrored."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array


@dataclass(frozen=True)
class Augment:
    """Each image moved by up to `shift` pixels along both axes, and mirrored half the time if `flip`.

    What is moved in is the border, as it would be of an image that went on: all its numbers are the outermost ones.

    Reference: He et al., "Deep residual learning for image recognition", section 4.2, arXiv 1512.03385.
    """

    shift: int
    flip: bool = False

    def __call__(self, images: Array, key: jax.Array) -> Array:
        """The images, `(count, height, width, channels)`, each changed in its own way."""
        for_rows, for_columns, for_flips = jax.random.split(key, 3)
        height, width = images.shape[1:3]
        # Each pixel is told where it comes from, along each axis: to roll and to pad would copy the images once more.
        rows = self._places(height, len(images), for_rows)
        columns = self._places(width, len(images), for_columns)
        if self.flip:
            mirrored = jax.random.bernoulli(for_flips, 0.5, (len(images), 1))
            columns = jnp.where(mirrored, columns[:, ::-1], columns)
        chosen = lambda image, rows, columns: image[rows[:, None], columns]
        return jax.vmap(chosen)(images, rows, columns)

    def _places(self, length: int, count: int, key: jax.Array) -> Array:
        """Where along an axis each of an image's new pixels comes from."""
        moved = jax.random.randint(key, (count, 1), -self.shift, self.shift + 1)
        return jnp.clip(jnp.arange(length) + moved, 0, length - 1)
