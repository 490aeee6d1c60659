"""A small fit of each room, as somebody's first one who installed a wheel: with whatever versions are there.

    python tools/smoke.py

It ends with an error where one of them does not come to what it must.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

import descend
from descend.linear import LogisticRegression
from descend.neural import ConvClassifier, LanguageModel, MLPClassifier, TextClassifier
from descend.rl import PPO


def rosenbrock(x: jax.Array) -> jax.Array:
    """Its only minimum is at 1, 1."""
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def squared(params: dict[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    """The loss of a linear regression."""
    rows, targets = batch
    return jnp.mean((rows @ params["w"] - targets) ** 2)


fit = descend.minimize(rosenbrock, [-1.2, 1.0])
assert fit.reason.name == "converged"
assert np.allclose(fit.params, 1, atol=1e-6)

rows = np.random.default_rng(0).normal(size=(1000, 5))
fit = descend.minimize(squared, {"w": np.zeros(5)}, (rows, rows @ np.arange(5.0)), batch_size=32, epochs=20)
assert fit.history.to_pandas().loss.iloc[-1] < 1e-2
fit.plot()

X, y = load_breast_cancer(return_X_y=True)
model = LogisticRegression().fit(X, y)
assert model.stop_reason_.name == "converged"
assert model.score(X, y) > 0.95

digits = load_digits()
assert MLPClassifier(epochs=5, random_state=0).fit(digits.data, digits.target).score(digits.data, digits.target) > 0.95
ConvClassifier(width=8, epochs=1, random_state=0).fit(digits.images[:200], digits.target[:200])
texts = ["a cat", "a dog", "stocks fell", "bonds rose"] * 10
assert TextClassifier(random_state=0).fit(texts, [0, 0, 1, 1] * 10).predict(["dog", "bonds"]).tolist() == [0, 1]
language = LanguageModel("tiny", context=8, steps=150, validation_fraction=0, random_state=0).fit("ab cd " * 40)
assert language.generate("ab", 10, temperature=0) == " cd ab cd "
assert PPO(num_envs=4, num_steps=64).train("CartPole-v1", steps=1024, stop=None).returns.shape == (100,)
print(f"descend from {descend.__file__}: each fit came to what it must")
