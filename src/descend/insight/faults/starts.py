"""Faults of where a descent begins: weights that are all alike, too large or too small for their layer."""

import math

import numpy as np

from descend._tree import named_leaves, split
from descend.insight.case import Case
from descend.insight.faults.changes import glorot_size, redrawn
from descend.insight.faults.suspicion import Suspicion
from descend.insight.replay import Change

OFF = 4.0  # times, up or down, by which weights differ from what is usual for their layer before it is suspected
HARMLESS = 0.97  # of the mended descent's fall: nearer than that, a start has done no harm
FADED = 1e-2  # of the largest gradient by layer, below which one has vanished


def _redraw() -> Change:
    return redrawn("with weights drawn anew, as large as their layer wants them",
                   "weights from jax.nn.initializers.glorot_normal()")


def constant(case: Case) -> Suspicion | None:
    """Weights of a layer that are all alike: its units get the same gradients, and stay alike."""
    if case.start.step > 0:
        return None
    weights = _weights(case)
    if not weights:
        return None
    alike = [path for path, array in weights.items() if _is_alike(array)]
    # A last layer may begin at 0, and one layer alone has no units that could stay alike.
    hidden = [path for path in alike if min(weights[path].shape) > 1 or len(weights) == 1]
    if not hidden or len(weights) == 1 or hidden == [list(weights)[-1]]:
        return None
    return Suspicion("constant initial weights", "start", f"all units of {', '.join(hidden)} begin alike", [_redraw()],
                     f"The weights of {hidden[0]} are all alike, and so are the gradients of its units.", likely=0.95,
                     group="start")


def scale(case: Case) -> Suspicion | None:
    """Weights that are too large or too small for their layer."""
    if case.start.step > 0:
        return None
    off = {path: float(array.std()) / glorot_size(array.shape) for path, array in _weights(case).items()
           if array.size >= 8 and array.std() > 0}
    if len(_weights(case)) < 2 or not off:
        return None
    worst = max(off, key=lambda path: abs(math.log(off[path])))
    if 1 / OFF < off[worst] < OFF:
        return None
    size = "large" if off[worst] > 1 else "small"
    return Suspicion("wrongly scaled initial weights", "start", f"those of {worst} are {off[worst]:.2g} times as large "
                     "as its inputs and outputs ask for", [_redraw()],
                     f"The initial weights of {worst} are too {size}, by a factor of "
                     f"{max(off[worst], 1 / off[worst]):.2g}.", likely=0.8, least=0.1, share=HARMLESS, group="start")


def vanishing(case: Case) -> Suspicion | None:
    """Gradients that fade from layer to layer."""
    weights = _weights(case)
    if len(weights) < 3 or case.start.step > 0:
        return None
    # Root mean squares, as a layer of many weights has a larger norm for its size alone.
    _, grads = case.start.loss_and_grad()
    sizes = {path: float(np.sqrt(np.mean(np.square(np.asarray(g, np.float64)))))
             for path, g in named_leaves(split(grads)[0]).items() if path in weights}
    most = max(sizes.values(), default=0.0)
    least = min(sizes, key=lambda path: sizes[path])
    if not (math.isfinite(most) and most > 0) or sizes[least] > FADED * most:
        return None
    return Suspicion("vanishing gradients", "start", f"at the start the gradients of {least} are {sizes[least]:.2g}, "
                     f"of other layers up to {most:.2g}", [_redraw()],
                     f"Gradients fade on their way to {least}, which hardly learns.", likely=0.6, least=0.1,
                     share=HARMLESS, group="start")


def _weights(case: Case) -> dict[str, np.ndarray]:
    """The arrays of two axes and more, by path."""
    leaves = named_leaves(split(case.start.params)[0]).items()
    return {path: np.asarray(leaf, np.float64) for path, leaf in leaves if np.ndim(leaf) >= 2}


def _is_alike(array: np.ndarray) -> bool:
    return bool(np.ptp(array) <= 1e-6 * max(float(np.abs(array).max()), 1e-30))


OF_STARTS = (constant, scale, vanishing)
