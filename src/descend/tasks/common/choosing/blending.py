"""A blend: the mean of several models' predictions, each with the share that lost least on rows not trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from descend._facts import Facts
from descend.errors import InputError
from descend.tasks.common.choosing.measures import Losses
from descend.tasks.common.fitted import Predictor, Traceable, Trained

# Shares are so many parts of a whole.
TWENTIETHS = 20
# What makes a model of its facts and arrays.
Load = Callable[[Facts, Mapping[str, np.ndarray]], Predictor]


@dataclass(frozen=True)
class Blend:
    """Models with their shares, of which there is 1 in all, as one `Predictor`."""

    parts: tuple[tuple[float, Predictor], ...]

    kind: ClassVar[str] = "blend"

    def predict(self, rows: Any) -> np.ndarray:
        """The mean of the models' predictions by their shares."""
        return np.sum([share * part.predict(rows) for share, part in self.parts], axis=0)

    def in_jax(self, rows: Any) -> Any:
        """The same as a function that JAX can trace.

        **Raises** `InputError` if one of the models cannot be said in JAX.
        """
        for _, part in self.parts:
            if not isinstance(part, Traceable):
                raise InputError(f"a blend with a model of the kind {part.kind!r} is not exported: it has no `in_jax`")
        first, *others = [share * part.in_jax(rows) for share, part in self.parts if isinstance(part, Traceable)]
        return sum(others, first)

    def describe(self) -> str:
        """The models with their shares."""
        return "blend of " + " and ".join(f"{share:.0%} {part.describe()}" for share, part in self.parts)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The models taken apart, by number."""
        facts: dict[str, Any] = {"shares": [share for share, _ in self.parts]}
        arrays: dict[str, np.ndarray] = {}
        for number, (_, part) in enumerate(self.parts):
            told, found = part.to_parts()
            facts[str(number)] = {"kind": part.kind, "predictor": told}
            arrays |= {f"{number}/{name}": array for name, array in found.items()}
        return facts, arrays

    @classmethod
    def from_parts(cls, told: Facts, arrays: Mapping[str, np.ndarray], load: Load) -> "Blend":
        """What `to_parts` took apart; `load`: what loads each of the models.

        **Raises** `CheckpointError` if it is something else.
        """
        shares = told.numbers("shares")
        if not (len(shares) > 1 and min(shares) > 0 and abs(sum(shares) - 1) < 1e-6):
            told.refuse("shares", "the shares of two models or more", shares)
        parts = []
        for number, share in enumerate(shares):
            begin = f"{number}/"
            own = {name.removeprefix(begin): array for name, array in arrays.items() if name.startswith(begin)}
            parts.append((share, load(told.inner(str(number)), own)))
        return cls(tuple(parts))


def blended(trained: Sequence[Trained], losses_of: Losses) -> Trained | None:
    """The blend of trained models that loses least on the rows that they are validated on; `None` if it is one alone.

    A twentieth is added at a time, each time of the model with which the blend loses least: so it begins with the best
    one, and no share is settled more finely than the rows can tell. `losses_of`: what each of these rows adds.

    Reference: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    """
    predictions = [each.unseen.astype(np.float64) for each in trained]
    counts = np.zeros(len(trained), int)
    total = np.zeros_like(predictions[0])
    for size in range(1, TWENTIETHS + 1):
        tried = [(total + each) / size for each in predictions]
        means = [each.mean() for each in losses_of(tried)]
        added = int(np.argmin(means))
        counts[added] += 1
        total = total + predictions[added]
    used = [number for number, count in enumerate(counts) if count]
    if len(used) == 1:
        return None
    shares = counts / TWENTIETHS
    # Its descent is that of the last one: the one that is trained in steps, if any is.
    last = trained[used[-1]]
    return Trained(
        Blend.kind, Blend(tuple((float(shares[number]), trained[number].predictor) for number in used)), last.how,
        last.reason, sum(trained[number].seconds for number in used), last.history, total / TWENTIETHS,
    )
