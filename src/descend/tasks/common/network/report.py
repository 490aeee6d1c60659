"""The report of a training on pictures or texts: one HTML file that needs no network."""

import base64
import io
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from descend._figures import training_curves
from descend.tasks.common.network.outcome import Outcome
from descend.tasks.common.network.training import Fitted
from descend.tasks.common.page import MARGIN, STYLE, confusion, facts_table, section_of

MOST_PICTURES, MOST_TEXTS = 30, 12  # of the mistakes that are shown
LONGEST = 600  # letters of a text
MAGNIFIED = 96  # pixels that a picture's shorter side has on the page
MORE_STYLE = """
.mistakes { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; width: 9rem; font-size: .85rem }
img { image-rendering: pixelated; border: 1px solid #eee } figcaption { overflow-wrap: anywhere }
blockquote { margin: .3rem 0 1.2rem; white-space: pre-wrap; overflow-wrap: anywhere }
"""


def render(fitted: Fitted, outcome: Outcome, metrics: dict[str, Any]) -> str:
    """The report as a page: score, confusion of classes, the worst mistakes, curves, the facts."""
    collection = fitted.prepared.collection
    title = f"{escape(collection.target)} from {escape(collection.name)}"
    curves = training_curves(fitted.model.network.history_, fitted.reason).update_layout(title=None, margin=MARGIN)
    confused = confusion(outcome.truth, outcome.predicted, collection.classes, collection.kind)
    notes = "".join(f"<p class=note>{escape(note)}.</p>" for note in collection.notes)
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>{title}</title>
<style>{STYLE}{MORE_STYLE}</style>
<h1>{title}</h1>
<p class=score>accuracy {outcome.score:.4f}</p>
<p>on {metrics["held_out"]:,} {collection.kind} that were held out; the plainest guess has {outcome.baseline:.4f}.</p>
<p>The model is a {escape(fitted.model.describe())}.</p>{notes}
{section_of("What was taken for what", f"The held-out {collection.kind}.", confused, is_first=True)}
<h2>The worst mistakes</h2>{_mistakes(fitted, outcome)}
{section_of("How the training went", f"Stopped by {fitted.reason}.", curves, is_first=False)}
<h2>All facts</h2>{facts_table(metrics)}
</html>
"""


def _mistakes(fitted: Fitted, outcome: Outcome) -> str:
    """Those of which the model was surest, as they are."""
    are_pictures = fitted.prepared.collection.kind == "pictures"
    chosen = outcome.mistakes(MOST_PICTURES if are_pictures else MOST_TEXTS)
    count = int(np.sum(outcome.predicted != outcome.truth))
    if not count:
        return f"<p class=note>There are none: all held-out {fitted.prepared.collection.kind} were told.</p>"
    shown = _shown_picture if are_pictures else _shown_text
    items = "".join(shown(fitted, outcome, row) for row in chosen.tolist())
    note = f"Of {count:,}, the {len(chosen):,} that the model was surest of."
    return f"<p class=note>{note}</p><div class={'mistakes' if are_pictures else 'texts'}>{items}</div>"


def _shown_picture(fitted: Fitted, outcome: Outcome, row: int) -> str:
    pixels = fitted.prepared.held_out.inputs[row]
    scale = MAGNIFIED / min(pixels.shape[:2])
    size = f"height={round(scale * pixels.shape[0])} width={round(scale * pixels.shape[1])}"
    return (f'<figure><img {size} alt="" src="data:image/png;base64,{_as_png(pixels)}">'
            f"<figcaption>{_told(fitted, outcome, row)}</figcaption></figure>")


def _shown_text(fitted: Fitted, outcome: Outcome, row: int) -> str:
    text = fitted.prepared.held_out.inputs[row]
    short = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"<div>{_told(fitted, outcome, row)}<blockquote>{escape(short) or '(empty)'}</blockquote></div>"


def _told(fitted: Fitted, outcome: Outcome, row: int) -> str:
    """What it is, and what it was taken for."""
    classes, chances = fitted.prepared.collection.classes, outcome.chances[row]
    true, taken = (int(numbers[row]) for numbers in (outcome.truth, outcome.predicted))
    return (f"<b>{escape(classes[true])}</b> ({chances[true]:.1%}), taken for <b>{escape(classes[taken])}</b> "
            f"({chances[taken]:.1%}) <span class=note>{escape(fitted.prepared.held_out.names[row])}</span>")


def _as_png(pixels: np.ndarray) -> str:
    if pixels.dtype != np.uint8:  # IDX files may hold other numbers than bytes
        low, high = float(pixels.min()), float(pixels.max())
        pixels = (255 * (pixels - low) / max(high - low, 1e-12)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
