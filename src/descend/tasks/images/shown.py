"""Pictures on a report's page."""

import base64
import io

import numpy as np
from PIL import Image

# Pixels that a picture's shorter side has on the page.
MAGNIFIED_SIDE = 96
# The colour of what speaks for a class, and how much of it there is at the most.
SPEAKING_FOR, MOST_COLOUR = np.array([214.0, 39.0, 40.0]), 0.75
# A probability: what hides less of it is not looked at, and shown as if there were no more.
LEAST_LOST = 0.02


def shown_picture(pixels: np.ndarray, looked: np.ndarray, caption: str) -> str:
    """A picture with its caption, magnified, and once more with where a model `looked`, (height, width), in red."""
    grey = _as_bytes(pixels).reshape(*pixels.shape[:2], -1).mean(axis=2, keepdims=True)
    share = MOST_COLOUR * np.clip(looked / max(float(looked.max()), LEAST_LOST), 0, 1)[..., None]
    # Paler, so that the colour is the strongest on it.
    pale = 128 + grey / 2
    both = _image(_as_bytes(pixels)) + _image((pale + share * (SPEAKING_FOR - pale)).astype(np.uint8))
    return f"<figure>{both}<figcaption>{caption}</figcaption></figure>"


def _image(pixels: np.ndarray) -> str:
    scale = MAGNIFIED_SIDE / min(pixels.shape[:2])
    size = f"height={round(scale * pixels.shape[0])} width={round(scale * pixels.shape[1])}"
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(file, "PNG")
    return f'<img {size} alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    # IDX files may hold other numbers than bytes.
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    return (255 * (pixels - low) / max(high - low, 1e-12)).astype(np.uint8)
