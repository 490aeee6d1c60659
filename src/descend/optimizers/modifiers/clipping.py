"""Gradients cut down to a size before the rule sees them."""

from functools import reduce
from operator import add
from typing import Any

import jax

from descend._arrays import Array, as_scalar, namespace
from descend._hyperparameters import POSITIVE, is_known_scalar, require
from descend._tree import Tree
from descend.errors import InputError
from descend.optimizers._modifier import Modifier, ModifierState, Own, Wrapped, scalar
from descend.optimizers._rule import rule as setting
from descend.optimizers._sums import norm
from descend.schedules import Number, fixed


class _Clip(Modifier):
    """What is common to the ways to clip: the share that was clipped is remembered, to be read."""

    limit: Number

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, limit=POSITIVE)
        if is_known_scalar(self.limit) and self.limit == 0:
            raise InputError(f"{type(self).__name__}: limit must be above 0, or nothing would ever move")

    def clipped(self, grads: list[Any], params: list[Any]) -> tuple[list[Any], Any]:
        """The gradients, clipped, and the share of them that was."""
        raise NotImplementedError

    def own_start(self, params: Tree) -> Own:
        return {"clip_rate": scalar(params, 0.0, "float32")}

    def step(self, grads: Tree, inner: Tree, own: Own, params: Tree, extra: dict[str, Any]) -> tuple[Tree, Any, Own]:
        treedef: Any = jax.tree.structure(grads)
        clipped, share = self.clipped(jax.tree.leaves(grads), jax.tree.leaves(params))
        updates, inner = self.rule.update(treedef.unflatten(clipped), inner, params, **extra)
        return updates, inner, {"clip_rate": as_scalar(share, own["clip_rate"])}

    def metrics(self, state: ModifierState) -> dict[str, Any]:
        return {**self.rule.metrics(state.rule), **state.own}


@setting
class ClipByValue(_Clip):
    """Each number of the gradient clipped by itself:

        g ← min(max(g, −c), c)

    `limit`: c. The metric `clip_rate` is the share of the numbers that this step clipped.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = ClipByValue(SGD(1.0), 0.5)
    >>> g = np.array([0.2, -3.0])
    >>> update, state = rule.update(g, rule.init(g))
    >>> update, rule.metrics(state)["clip_rate"]
    (array([-0.2,  0.5]), array(0.5, dtype=float32))

    Reference: Mikolov, "Statistical language models based on neural networks", 2012.
    """

    rule: Wrapped
    limit: Number

    def clipped(self, grads: list[Any], params: list[Any]) -> tuple[list[Any], Any]:
        limits = [as_scalar(self.limit, g) for g in grads]
        beyond = [namespace(g).abs(g) > limit for g, limit in zip(grads, limits, strict=True)]
        return [namespace(g).clip(g, -limit, limit) for g, limit in zip(grads, limits, strict=True)], _share(beyond)


@setting
class ClipByNorm(_Clip):
    """The whole gradient, of all parameters together, shortened to a norm:

        g ← g · min(1, c / ‖g‖)

    `limit`: c. This is Optax's and Keras's global norm; PyTorch divides by ‖g‖ + 1e-6 instead, so that what it clips is
    a little shorter than c. The metric `clip_rate` is 1 for a step that was clipped, else 0: its mean over steps is
    their share.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = ClipByNorm(SGD(1.0), 1.0)
    >>> g = {"weight": np.array([3.0]), "bias": np.array(-4.0)}
    >>> rule.update(g, rule.init(g))[0]
    {'bias': np.float64(0.8), 'weight': array([-0.6])}

    Reference: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
    arXiv 1211.5063.
    """

    rule: Wrapped
    limit: Number

    def clipped(self, grads: list[Any], params: list[Any]) -> tuple[list[Any], Any]:
        size = norm(grads)
        # Written so that it is exactly 1 where nothing is to be clipped.
        factor = self.limit / namespace(size).clip(size, self.limit, None)
        return [g * as_scalar(factor, g) for g in grads], size > self.limit


@setting
class AdaptiveClip(_Clip):
    """Each unit's gradient clipped to a part of the unit's own size:

        G ← G · min(1, c max(‖W‖, ε) / ‖G‖)        for the weights W of each unit, and their gradient G

    A unit is what one output is made from: an array's numbers at one place of `unit_axis`. It is 0 where outputs come
    first, (out, in, ...), as in PyTorch and Equinox; -1 for (..., in, out), as in Flax, Keras and Optax (which for
    arrays with three axes takes the first axis alone as inputs). An array with one axis or none is one unit.

    `limit`: c. `eps`: ε, so that weights that begin at zero can leave it. The metric `clip_rate` is the share of the
    units that this step clipped. The authors leave the last layer out: `PerGroup` can.

    >>> import numpy as np
    >>> from descend.optimizers import SGD
    >>> rule = AdaptiveClip(SGD(1.0), limit=0.1)
    >>> weight, gradient = np.array([[3.0, 4.0], [3.0, 4.0]]), np.array([[0.3, 0.4], [30.0, 40.0]])
    >>> rule.update(gradient, rule.init(weight), weight)[0]
    array([[-0.3, -0.4],
           [-0.3, -0.4]])

    Reference: Brock et al., "High-performance large-scale image recognition without normalization", arXiv 2102.06171.
    """

    rule: Wrapped
    limit: Number = 0.01
    eps: Number = 1e-3
    unit_axis: int = fixed(default=0)
    needs_params = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, eps=POSITIVE)

    def clipped(self, grads: list[Any], params: list[Any]) -> tuple[list[Any], Any]:
        pairs = [self._unitwise(g, p) for g, p in zip(grads, params, strict=True)]
        return [g for g, _ in pairs], _share([beyond for _, beyond in pairs])

    def _unitwise(self, g: Array, p: Array) -> tuple[Any, Any]:
        xp, size = namespace(g), self._norms(g)
        # Beside the weights' own size, because a gradient is large or small only beside what it moves.
        allowed = as_scalar(self.limit, g) * xp.clip(self._norms(p), as_scalar(self.eps, p), None)
        beyond = size > allowed
        return xp.where(beyond, g * (allowed / xp.where(beyond, size, 1)), g), beyond

    def _norms(self, x: Array) -> Any:
        """The norm of each unit, along axes that are kept."""
        axes = tuple(range(x.ndim)) if x.ndim <= 1 else tuple(set(range(x.ndim)) - {self.unit_axis % x.ndim})
        xp = namespace(x)
        return xp.sqrt(xp.sum(x * x, axes, keepdims=True)) if axes else xp.abs(x)


def _share(marks: list[Any]) -> Any:
    """Which part of all marks are set."""
    return reduce(add, [namespace(mark).sum(mark) for mark in marks]) / sum(mark.reshape(-1).shape[0] for mark in marks)
