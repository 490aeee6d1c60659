"""Half precision is where it should be: in the products of matrices, and nowhere else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from descend import Adam
from descend._tree import join, split
from descend.errors import InputError
from descend.neural import ConvClassifier, LanguageModel, MLPClassifier, MLPRegressor, TextClassifier
from descend.neural._gpt import GPT, Shape
from descend.neural._half_precision import in_half, is_half
from descend.neural._lenet import LeNet
from descend.neural._next_token import NextToken
from descend.neural._objective import Objective, RandomObjective
from descend.neural._residual import Residual
from descend.neural.perceptron import MLP


def problems():
    """Networks with a batch for each: the loss by whether it is in half precision, and what it is called with."""
    rng = np.random.default_rng(0)
    classes = jnp.asarray(rng.integers(0, 5, 32))
    images = jnp.asarray(rng.integers(0, 256, (32, 16, 16, 1)), jnp.uint8)
    rows = jnp.asarray(rng.normal(size=(32, 8)), jnp.float32)
    tokens = jnp.asarray(rng.integers(0, 11, (4, 17)))
    residual, state = Residual.drawn((16, 16, 1), 5, 0.0, 1 / 255, 0.0, 8, rng)
    plain = lambda half: Objective("classification", half=half)
    keyed = lambda half: RandomObjective("classification", half=half)
    return {
        "perceptron": (plain, MLP.drawn((8, 16, 5), "relu", 0.0, rng), ((rows, classes, None),)),
        "lenet": (plain, LeNet.drawn((16, 16, 1), 5, 0.0, 1 / 255, 0.0, rng), ((images, classes, None),)),
        "residual": (keyed, residual, ((images, classes, None), state, jax.random.key(0))),
        "gpt": (NextToken, GPT.drawn(Shape(11, 16, 2, 2, 16), rng), ((tokens[:, :-1], tokens[:, 1:]),)),
    }


PROBLEMS = problems()


def gradients(name, half):
    """The gradient by the network's numbers, as a function of them, and these."""
    make, network, others = PROBLEMS[name]
    arrays, rest = split(network)
    loss = lambda arrays: jax.tree.leaves(make(half)(join(arrays, rest), *others))[0]  # and no state
    return jax.jit(jax.grad(loss)), arrays


def products(jaxpr):
    """The factors of all products of matrices, those in functions that are called too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield [factor.aval for factor in equation.invars]
        for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from products(inner)


def numbers(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize(("half", "kind"), [(True, jnp.bfloat16), (False, jnp.float32)])
def test_products_are_in_half_precision_where_it_is_asked_for(name, half, kind):
    by, arrays = gradients(name, half)
    factors = [pair for pair in products(jax.make_jaxpr(by)(arrays).jaxpr)
               if all(factor.ndim > 1 and min(factor.shape) > 1 for factor in pair)]  # sums are products, too
    assert factors
    assert {factor.dtype for pair in factors for factor in pair} == {jnp.dtype(kind)}


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradients_are_in_single_precision_and_nearly_the_same(name):
    """Half precision has 8 bits: some hundredths of a gradient's length; more where another pixel is largest."""
    by, arrays = gradients(name, half=True)
    found = by(arrays)
    assert {x.dtype for x in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}
    exact = numbers(gradients(name, half=False)[0](arrays))
    assert np.linalg.norm(numbers(found) - exact) < 0.2 * np.linalg.norm(exact)
    assert not np.array_equal(numbers(found), exact)


def test_running_statistics_stay_in_single_precision():
    make, network, others = PROBLEMS["residual"]
    _, after = jax.eval_shape(lambda: make(True)(network, *others))
    assert {x.dtype for x in jax.tree.leaves(after)} == {jnp.dtype(jnp.float32)}


def test_what_is_no_single_number_stays_as_it_is():
    tree = {"a": jnp.ones(2), "b": jnp.arange(2), "c": jnp.ones(2, jnp.uint8), "d": 0.5}
    kinds = {name: getattr(x, "dtype", type(x)) for name, x in in_half(tree).items()}
    assert kinds == {"a": jnp.bfloat16, "b": jnp.int32, "c": jnp.uint8, "d": float}


@pytest.mark.parametrize(("device", "expected"), [("cpu", False), ("gpu", True), ("tpu", True)])
def test_auto_takes_it_where_the_device_is_made_for_it(monkeypatch, device, expected):
    monkeypatch.setattr(jax, "default_backend", lambda: device)
    assert is_half("auto") is expected
    assert is_half("bfloat16")
    assert not is_half("float32")


def test_a_network_trained_in_half_precision_is_another_and_as_good():
    digits = load_digits()
    X, y = digits.data[:1000], digits.target[:1000]
    fitted = lambda precision: MLPClassifier(
        (32,), optimizer=Adam(0.01), epochs=20, precision=precision, random_state=0
    ).fit(X, y)
    half, single = fitted("bfloat16"), fitted("float32")
    assert not np.array_equal(half.network_.weights[0], single.network_.weights[0])
    assert half.network_.weights[0].dtype == jnp.float32
    held_out = digits.data[1000:], digits.target[1000:]
    assert half.score(*held_out) > single.score(*held_out) - 0.03


@pytest.mark.parametrize("model", [MLPClassifier, MLPRegressor, ConvClassifier, TextClassifier])
def test_other_precisions_are_refused(model):
    with pytest.raises(InputError, match="precision must be one of auto, float32, bfloat16, but is 'half'"):
        model(precision="half").fit(np.zeros((4, 16, 16)), [0, 1, 0, 1])


def test_a_language_model_refuses_them_too():
    with pytest.raises(InputError, match="precision must be one of auto, float32, bfloat16, but is 'half'"):
        LanguageModel("tiny", precision="half").fit("ab" * 100)
