"""What pages show does what they say, beyond what they print."""

from importlib.util import find_spec

import numpy as np
import pytest
from scipy import optimize

from descend.engine.storing import tree_to_arrays
from tools.book import fences

NEEDS = {"Flax NNX": "flax", "Flax Linen": "flax", "PyTorch": "torch", "Polars": "polars",
         "A PyTorch DataLoader": "torch", "A grain loader": "grain"}  # fmt: skip


def test_readme(ran):
    names = ran(fences.parts(fences.ROOT / "README.md")[-1])[0]
    assert names["fit"].reason.name == "budget"
    assert names["same"].step == 100
    assert len(names["raced"]) == 4


def test_studio(shown):
    names = shown("studio.md")
    assert names["banana"](-1.2, 1.0) == pytest.approx(24.2)
    assert names["path"].rows[0].tolist() == pytest.approx([1, 1, 51, 100])
    assert names["path"].limit / names["path"].rows[0, 3] == pytest.approx(0.038)


def test_the_minimum_by_ones_own_loss_is_that_of_scipy(shown):
    names = shown("your-own-loss.md")
    model, X, y = names["model"], names["X"], names["y"]
    assert model.stop_reason_.name == "converged"
    unit = X.std(axis=0)

    def objective(v):
        away = np.abs(X / unit @ v[:3] + v[3] - y)
        return float((away + np.log1p(np.exp(-2 * away)) - np.log(2)).mean() + 0.0005 * np.sum((v[:3] / unit) ** 2))

    best = optimize.minimize(objective, np.zeros(4), tol=1e-10)
    assert model.loss_curve_[-1] == pytest.approx(best.fun, rel=1e-8)
    assert model.loss_curve_[-1] - model.duality_gap_ <= best.fun * (1 + 1e-9)


# ------------------------------------------------------------------------------------------------- your own model


def needing(*titles):
    return [pytest.param(title, marks=pytest.mark.peers if title in NEEDS else ()) for title in titles]


@pytest.fixture
def of_model(shown):
    def names_of(title):
        if title in NEEDS and find_spec(NEEDS[title]) is None:
            pytest.skip(f"shows {title}: pip install {NEEDS[title]}")
        return shown("your-own-model.md", title)

    return names_of


def bits(tree):
    return [array.tobytes() for array in tree_to_arrays(tree, "").values()]


@pytest.mark.parametrize("title", needing("Plain pytrees", "Equinox", "Flax NNX", "Flax Linen", "PyTorch"))
def test_models(title, of_model):
    """They learn what no line can tell."""
    names = of_model(title)
    assert (names["predicted"] == names["held_out"][1]).mean() > 0.85
    if title == "PyTorch":
        return
    assert names["fit"].reason.name in ("budget", "plateau")
    if title != "Plain pytrees":
        before, after = bits(names["state"]), bits(names["fit"].state)
        assert sum(a != b for a, b in zip(before, after, strict=True)) >= 2  # a mean and a spread at the least


@pytest.mark.parametrize(
    "title", needing("Arrays and frames", "Polars", "A PyTorch DataLoader", "A grain loader", "A generator")
)
def test_data(title, of_model):
    """They all have the same line in them."""
    params = of_model(title)["fit"].params
    np.testing.assert_allclose(list(params.values()) if isinstance(params, dict) else params, [3, -1], atol=0.02)


def test_accumulated_batches(of_model):
    names = of_model("Gradients of several batches together")
    tokens, real = names["tokens"], names["real"]
    assert abs(float(names["fit"].params) - tokens[real].mean()) < 0.2
    assert len(names["fit"].history) == 100
