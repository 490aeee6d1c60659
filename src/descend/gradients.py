"""Are the gradients right? Automatic or hand-written ones against finite differences."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from descend._tree import Tree, as_parameters, join, named_leaves, path_name, split
from descend.errors import InputError

# The cube root of ε balances rounding, which grows as 1/h, and truncation, which grows as h², in a central difference.
STEP = float(np.finfo(np.float64).eps) ** (1 / 3)


@dataclass(frozen=True)
class GradientCheck:
    """The largest relative error of the gradient, by parameter, and whether all are within `tolerance`."""

    errors: dict[str, float]
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether every parameter's gradient agrees with the differences."""
        return all(error <= self.tolerance for error in self.errors.values())

    def __str__(self) -> str:
        worst = max(self.errors, key=lambda name: self.errors[name])
        verdict = "agree with" if self.ok else "differ from"
        return f"the gradients {verdict} finite differences: at worst by {self.errors[worst]:.2g}, in '{worst}'"


def check_gradients(
    loss: Callable[..., Any],
    params: Tree,
    data: Any = None,
    *,
    coordinates: int = 20,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradient of `loss` with central differences, in float64.

    For `coordinates` random coordinates of each parameter, `(J(θ + h eᵢ) − J(θ − h eᵢ)) / 2h` is held against
    `∂J/∂θᵢ`; the error is relative to the larger of the two and of the root mean square of the parameter's gradient.

    `loss`, `params`: as for `minimize`; `data`: the batch, if the loss takes one. If the loss brings its own
    `value_and_grad`, that is what is checked.

    >>> check = check_gradients(lambda x: (x ** 3).sum(), [1.0, 2.0])
    >>> check.ok, list(check.errors)
    (True, ['params'])

    **Raises** `InputError` if the loss is not finite here.
    """
    arguments = () if data is None else (data,)
    with jax.enable_x64(True):
        numbers, rest = split(as_parameters(params, np.float64))

        def value(numbers: Tree) -> Any:
            result = loss(join(numbers, rest), *arguments)
            return result[0] if isinstance(result, tuple) else result

        own = getattr(loss, "value_and_grad", None)
        grads = jax.grad(value)(numbers) if own is None else own(join(numbers, rest), *arguments)[1]
        if not np.isfinite(here := value(numbers)):
            raise InputError(f"the loss is {here} at these parameters: gradients can be checked where it is finite")
        compiled, rng = jax.jit(value), np.random.default_rng(seed)
        errors = {}
        for path, leaf in jax.tree_util.tree_leaves_with_path(numbers):
            name = path_name(path)
            chosen = rng.permutation(leaf.size)[:coordinates]
            differences = [_difference(compiled, numbers, name, int(i)) for i in chosen]
            gradient = np.asarray(named_leaves(grads)[name]).ravel()
            errors[name] = _largest_error(np.array(differences), gradient[chosen], gradient)
    return GradientCheck(errors, tolerance)


def _difference(value: Callable[[Tree], Any], numbers: Tree, name: str, index: int) -> float:
    def moved(by: float) -> Tree:
        def move(path: tuple[Any, ...], leaf: Any) -> Any:
            if path_name(path) != name:
                return leaf
            flat = np.array(leaf).ravel()
            flat[index] += by
            return flat.reshape(leaf.shape)

        return jax.tree_util.tree_map_with_path(move, numbers)

    # In proportion to a large coordinate, beside which the step would else be rounding.
    h = STEP * max(1.0, abs(float(named_leaves(numbers)[name].ravel()[index])))
    return float(value(moved(h)) - value(moved(-h))) / (2 * h)


def _largest_error(differences: np.ndarray, chosen: np.ndarray, gradient: np.ndarray) -> float:
    if not np.isfinite(gradient).all():
        return math.inf
    # Beside the root mean square as well: where a gradient is 0, its difference is rounding, and the ratio of both says
    # nothing.
    scale = np.maximum(np.maximum(abs(differences), abs(chosen)), np.sqrt(np.mean(gradient**2)))
    return float(np.max(abs(differences - chosen) / np.maximum(scale, 1e-8), initial=0.0))
