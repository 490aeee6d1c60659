"""Momentum whose matrices are made orthogonal."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from descend._arrays import Array, Scalar, namespace
from descend._hyperparameters import FRACTION, POSITIVE, require, require_choice, require_whole
from descend._paths import Patterns, matches, refuse_unmatched
from descend._tree import Tree, named_leaves
from descend.optimizers._linalg import transposed, wide
from descend.optimizers._modifier import Wrapped, refuse_foreign, refuse_searches
from descend.optimizers._optimizer import Optimizer
from descend.optimizers._partition import Partition, PartitionState
from descend.optimizers._rule import Leaf, Rule, Slots, rule
from descend.optimizers.adam import AdamW
from descend.schedules import Number, Rate, Schedule, fixed

# Of the quintic that lifts small singular values fastest (Jordan): it does not converge to 1, and need not.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
# Numbers in matrices of one shape that are stacked.
MAX_STACKED_NUMBERS = 2**20
SCALES = ("original", "match_rms_adamw", "none")
VECTORS = ("*embed*", "*head", "*head/*")
MATRICES, COMPANION = "matrices", "companion"  # names of parts


@rule
class Settings(Optimizer):
    """What Muon and the rule that it has for matrices can be told."""

    learning_rate: Rate | Schedule = 0.02
    momentum: Number = 0.95
    nesterov: bool = fixed(default=True)
    weight_decay: Number = 0.0
    scale: str = fixed(default="original")
    outputs_last: bool = fixed(default=False)
    steps: int = fixed(default=5)
    iterate_in: str | None = fixed(default=None)
    eps: Number = 1e-7

    def __post_init__(self) -> None:
        require(self, learning_rate=POSITIVE, momentum=FRACTION, weight_decay=POSITIVE, eps=POSITIVE)
        require_choice(self, "scale", SCALES)
        require_whole(self, steps=1)
        if self.iterate_in is not None:
            require_choice(self, "iterate_in", ("bfloat16", "float32"))


@rule
class Orthogonal(Settings, Rule):
    """The rule for matrices."""

    needs_params = True

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",)

    def update_parameters(
        self, leaves: list[Leaf], shared: dict[str, Any], t: Array, lr: Scalar
    ) -> tuple[list[Any], list[Slots], dict[str, Any]]:
        # 1. Momentum, as an average: its size does not matter, as what follows makes all singular values alike.
        means = [self._towards(g, m) for g, _, (m,) in leaves]
        # 2. Nesterov's look ahead, by the same average once more.
        pulls = [self._towards(g, m) if self.nesterov else m for m, (g, _, _) in zip(means, leaves, strict=True)]
        # 3. Orthogonal, axes of inputs together. Then decay and scale, in `update_parameter`.
        matrices = in_stacks(self._orthogonal, [self._as_matrix(pull) for pull in pulls])
        ready = [(o.reshape(p.shape), p, (m,)) for o, m, (_, p, _) in zip(matrices, means, leaves, strict=True)]
        return super().update_parameters(ready, shared, t, lr)

    def update_parameter(self, g: Array, p: Array, slots: Slots, t: Array, lr: Array) -> tuple[Any, Slots]:
        return -lr * (self._scale(p) * g + self.weight_decay * p), slots

    def metrics(self, state: Tree) -> dict[str, Any]:
        return {**super().metrics(state), "weight_decay": self.weight_decay}

    def _towards(self, g: Array, m: Array) -> Any:
        return self.momentum * m + (1 - self.momentum) * g

    def _as_matrix(self, x: Array) -> Any:
        """The array with its axis of outputs on one side, and all others together on the other."""
        return x.reshape(-1, x.shape[-1]) if self.outputs_last else x.reshape(x.shape[0], -1)

    def _scale(self, p: Array) -> float:
        outputs, inputs = self._as_matrix(p).shape[::-1 if self.outputs_last else 1]
        if self.scale == "original":
            return max(1, outputs / inputs) ** 0.5
        return 0.2 * max(outputs, inputs) ** 0.5 if self.scale == "match_rms_adamw" else 1.0

    def _orthogonal(self, x: Array) -> Any:
        """Newton and Schulz's iteration: `U S Vᵀ` becomes `U S' Vᵀ` with S' near 1, also for each of a stack."""
        (a, b, c), xp, kind = COEFFICIENTS, namespace(x), x.dtype
        squares = xp.sum(wide(x) ** 2, (-2, -1))
        # By the Frobenius norm no singular value is above 1, where the iteration may diverge. The largest one alone
        # would be a tighter bound, and costs a decomposition.
        x = wide(x) / (xp.sqrt(squares) + self.eps)[..., None, None]
        x = xp.asarray(x, dtype=kind if self.iterate_in is None else getattr(xp, self.iterate_in, self.iterate_in))
        for _ in range(self.steps):
            # Matrices lie on their long side, so this is the smaller of both products.
            s = x @ transposed(x)
            x = a * x + (b * s + c * (s @ s)) @ x
        return xp.asarray(x, dtype=kind)


@rule
class Muon(Settings, Partition):
    """Momentum whose matrices are made nearly orthogonal: a step is as long in every direction.

        m ← μ m + (1 − μ) g
        U S Vᵀ = μ m + (1 − μ) g          Nesterov; else m
        θ ← θ − η (scale · U Vᵀ + λ θ)

    U Vᵀ comes from `steps` of Newton and Schulz's iteration, without a decomposition: so few of them that singular
    values are left between .68 and 1.13, in which the authors saw no harm. Vectors and scalars, and matrices whose
    path fits `vectors` (embeddings and heads), are stepped by `companion`, with its own learning rate.

    `momentum`, `nesterov`, `weight_decay`: μ, whether to look ahead, λ. `scale`: `"original"`, √max(1, outputs/inputs),
    as Jordan has it; `"match_rms_adamw"`, 0.2 √max(outputs, inputs), of Liu et al., for learning rates and weight decay
    that were tuned for AdamW; `"none"`, 1. `outputs_last`: whether a layer's outputs are its weights' last axis, as in
    Flax and Keras, instead of the first, as in Equinox and PyTorch; all other axes, of a convolution's filters too, are
    inputs. `iterate_in`: a dtype for the iteration, by default the array's own; the authors take `"bfloat16"`, which
    halves the time where a device multiplies in it. `eps`: added to the norm by which the iteration divides first.

    PyTorch and the authors have this momentum and this order; Optax corrects m for its start at zero, which changes
    only Nesterov's form. The steps do not depend on the curvature, so there is no stability limit.

    >>> import numpy as np
    >>> rule = Muon(0.1)
    >>> params = {"weight": np.zeros((2, 2)), "bias": np.zeros(2)}
    >>> grads = {"weight": np.array([[3.0, 4.0], [-0.4, 0.3]]), "bias": np.array([1.0, -1.0])}
    >>> updates, state = rule.update(grads, rule.init(params), params)
    >>> updates["weight"].round(2)
    array([[-0.04, -0.06], [ 0.06, -0.04]])
    >>> rule.metrics(state)["learning_rate/companion"]
    0.0003

    **Raises** `InputError` for a pattern of yours in `vectors` that fits no parameter.

    References: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et al., "Muon is
    scalable for LLM training", arXiv 2502.16982.
    """

    companion: Wrapped = AdamW(3e-4)
    vectors: Patterns = fixed(default=VECTORS)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_foreign("Muon", self.companion)
        refuse_searches("Muon", self.companion)

    def parts(self) -> Mapping[str, Optimizer | None]:
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(Settings)}
        return {MATRICES: Orthogonal(**settings), COMPANION: self.companion}

    def part_of(self, path: str, leaf: Any) -> str:
        return MATRICES if len(getattr(leaf, "shape", ())) > 1 and not matches(self.vectors, path) else COMPANION

    def init(self, params: Tree) -> PartitionState:
        if self.vectors != VECTORS:
            refuse_unmatched("Muon", self.vectors, named_leaves(params))
        return super().init(params)


def in_stacks(function: Callable[[Any], Any], matrices: list[Any]) -> list[Any]:
    """A function of wide matrices, or of a stack of them, on all matrices; tall ones are put on their side.

    Small ones of one shape are stacked, to be fewer; large ones are not, because a stack is multiplied more slowly.
    """
    made, alike = list(matrices), defaultdict(list)
    for i, x in enumerate(matrices):
        alike[min(x.shape), max(x.shape), x.dtype].append(i)
    for (short, long, _), places in alike.items():
        most = max(1, MAX_STACKED_NUMBERS // (short * long))
        for some in (places[i:i + most] for i in range(0, len(places), most)):
            lying = [matrices[i] if matrices[i].shape[0] == short else transposed(matrices[i]) for i in some]
            results = function(namespace(lying[0]).stack(lying)) if len(some) > 1 else [function(lying[0])]
            for i, x in zip(some, results, strict=True):
                made[i] = x if x.shape == matrices[i].shape else transposed(x)
    return made
