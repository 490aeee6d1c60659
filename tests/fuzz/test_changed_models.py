"""Models of strangers: small saved models whose facts and arrays were changed by chance, behind a right checksum.

Each is loaded and used, or refused on one line; never another exception, more than 5 s, or more than 1 GiB.
"""

import copy
import random
import resource
import time
import warnings

import numpy as np
import pandas as pd
import pytest

from amounts import times
from descend import SGD, DescendError, TableClassifier, load_model
from descend.engine.storing import read_arrays, write_arrays
from descend.linear import SVR, LogisticRegression
from descend.neural import ConvClassifier, MLPRegressor, TextClassifier
from descend.neural.language import LanguageModel
from descend.rl import ActorCritic, Policy
from descend.rl._moments import Moments
from descend.rl.environments import Box
from descend.stopping import Reason
from descend.tasks.common.choosing.blending import Blend
from descend.tasks.common.examples import Scale
from descend.tasks.common.linear.model import Certificate, Linear, PenaltyPath
from descend.tasks.common.target import Target
from descend.tasks.images.task import ImageModel
from descend.tasks.loading import stored_model
from descend.tasks.table.model import TableModel
from descend.tasks.table.networks.binning import Bins
from descend.tasks.table.networks.ensemble import Shape, build
from descend.tasks.table.networks.training import Networks
from descend.tasks.table.perceptron import MLP
from descend.tasks.text.model import LinearOfTexts, NetworkOfTexts, TextModel
from descend.tasks.text.ngrams import NGrams
from descend.tasks.text.texts import texts_in
from encoders import encoder_of

CERTIFICATE = Certificate(Reason("converged", "", 1), 0.0, 0.0, "")
PATH = PenaltyPath((1.0,), (0.0,), (0.0,), 0)
SECONDS, KIB = 5.0, 2**20
ROWS = 24
STRANGE = [
    None, True, 0, 1, -1, 3, 10**9, 2**63, 10**400, -0.5, float("nan"), float("inf"), 1e308, "", "a", "filename",
    "word", "a\nb", "/etc/passwd", "antigravity:Env-v0", "<U1000000000", r"(?:(?:\w+\s?)+)+$!", [], [1], [[]], {},
    {"tuple": []}, {"array": "a0"}, {"object": {"class": "Pipeline", "attributes": {}}}, {"float": "nan"},
    {"slice": [0, 10**9, None]}, {"scalar": ["int8", 300]}, {"type": "object"}, {"dtype": "V1000000000"},
]  # fmt: skip



def frame():
    rng = np.random.default_rng(0)
    words = ["quiet", "loud", "red", "green", "house", "river"]
    return pd.DataFrame({
        "size": np.where(np.arange(ROWS) % 7 == 0, np.nan, rng.normal(size=ROWS)),
        "kept": rng.random(ROWS) < 0.5,
        "color": rng.choice(["red", "green", "blue"], ROWS),
        "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), unit="D"),
        "note": [" ".join(rng.choice(words, 5)) + f" {i}" for i in range(ROWS)],
    })


def predictions(folder, inputs):
    """What `descend predict` makes of a model, whatever kind of it the file says that it is."""
    model = stored_model(folder)
    if isinstance(model, TableModel):
        return model.predict_frame(inputs)
    return model.predict(texts_in(inputs, model.column) if isinstance(inputs, pd.DataFrame) else inputs)


def save(folder, model):
    facts, arrays = model.to_parts()
    write_arrays(folder / "model.safetensors", arrays, facts)
    return folder / "model.safetensors"


def table(folder):
    encoder = encoder_of(frame())
    bins = Bins.learnt(encoder.transform(frame()))
    shape = Shape("mlp", MLP.hidden_layers, "multiclass", len(encoder.features) + len(bins), 3, 2, 4)
    networks = Networks(shape, build(shape, 0), bins)
    linear = Linear("multiclass", np.ones((3, len(encoder.features))), np.zeros(3), CERTIFICATE, PATH)
    blend, target = Blend(((0.25, linear), (0.75, networks))), Target("multiclass", ("a", "b", "c"), "")
    model = TableModel(encoder, blend, target, Scale())
    return save(folder, model), lambda: predictions(folder, frame())


def texts(folder):
    inputs, classes = ["the cat sat", "a dog", "stock fell", "bond markets"] * 4, [0, 0, 1, 1] * 4
    network = TextClassifier(epochs=1, random_state=0).fit(inputs, classes)
    known, _ = NGrams.learned(inputs, "letters")
    linear = LinearOfTexts(known, Linear("binary", np.ones((1, len(known.hashes))), np.zeros(1), CERTIFICATE, PATH))
    model = TextModel(Blend(((0.25, linear), (0.75, NetworkOfTexts(network)))), ("pets", "money"), "note", 0.5)
    return save(folder, model), lambda: predictions(folder, frame())


def pictures(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 5, 5)).astype(np.uint8)
    network = ConvClassifier(width=2, epochs=1, random_state=0).fit(pixels, np.arange(16) % 2)
    return save(folder, ImageModel(network, ("a", "b"))), lambda: predictions(folder, pixels)


def language(folder):
    text = "ab cd " * 40
    LanguageModel("tiny", layers=1, width=8, heads=2, context=8, tokenizer="characters", steps=1, validation_fraction=0,
                  random_state=0).fit(text).save(folder)
    return folder / "model.safetensors", lambda: LanguageModel.load(folder).generate("ab", 4)


def policy(folder):
    moments = Moments(np.zeros(3, np.float32), np.ones(3, np.float32), np.float32(7))
    box = Box((-2.0,), (2.0,))
    Policy(ActorCritic.drawn((3,), box, 0), "Pendulum-v1", (3,), box, moments).save(folder / "policy")
    return folder / "policy", lambda: Policy.load(folder / "policy")(np.zeros((2, 3), np.float32))


def estimator(folder, model):
    model.save(folder)
    return folder / "model.safetensors"


def classes_by_line(folder):
    rows = np.random.default_rng(0).normal(size=(ROWS, 3))
    model = LogisticRegression(solver=SGD(0.1), multi_class="ovr", max_iter=5)
    with warnings.catch_warnings(action="ignore"):
        model.fit(pd.DataFrame(rows, columns=["a", "b", "c"]), ["x", "y", "z"] * 8)
    return estimator(folder, model), lambda: load_model(folder).coef_ @ rows.T


def by_kernel(folder):
    rows = np.random.default_rng(0).normal(size=(ROWS, 3))
    return estimator(folder, SVR(n_components=4).fit(rows, rows[:, 0])), lambda: load_model(folder).predict(rows)


def perceptron(folder):
    rows = np.random.default_rng(0).normal(size=(ROWS, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), epochs=1, random_state=0).fit(rows, rows[:, :2])
    return estimator(folder, model), lambda: load_model(folder).predict(rows)


def table_estimator(folder):
    y = np.arange(ROWS) % 2 == 0
    model = TableClassifier(model="linear", column={"color": "category"}, random_state=0).fit(frame(), y)
    return estimator(folder, model), lambda: load_model(folder).predict_proba(frame())


KINDS = {"by kernel": by_kernel, "line": classes_by_line, "perceptron": perceptron, "table estimator": table_estimator,
         "table": table, "texts": texts, "pictures": pictures, "language": language, "policy": policy}


def places(value, path=()):
    """The paths to all that is in facts."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def change_facts(facts, rng):
    *path, key = rng.choice(list(places(facts)))
    inside = facts
    for step in path:
        inside = inside[step]
    kind = rng.randrange(5)
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[rng.choice(["n_jobs", "input", "transform", "__class__", "x"])] = rng.choice(STRANGE)
    elif kind == 2 and isinstance(inside[key], int | float):
        inside[key] = inside[key] * rng.choice([-1, 2, 1000, 10**12]) + rng.choice([0, 1])
    elif kind == 3:
        others = list(inside) if isinstance(inside, dict) else range(len(inside))
        inside[key] = copy.deepcopy(inside[rng.choice(others)])
    else:
        inside[key] = copy.deepcopy(rng.choice(STRANGE))


def change_array(arrays, rng):
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    how = rng.randrange(4)
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays[name] = array.astype(rng.choice([np.float64, np.int32, np.int8, np.float16]))
    elif how == 2:
        arrays[name] = array.ravel()[: rng.randrange(array.size + 1)]
    else:
        arrays[name] = np.full_like(array, rng.choice([np.nan, np.inf, -1, 1e30]) if array.dtype.kind == "f" else -1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model of each kind: its file, what uses it, its arrays and its facts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {kind: make(tmp_path_factory.mktemp(kind)) for kind, make in KINDS.items()}
    return {kind: (file, use, *read_arrays(file)) for kind, (file, use) in made.items()}


def tried(saved, kind, seed):
    """Whether a changed model is used and not refused."""
    file, use, arrays, facts = saved[kind]
    rng = random.Random(seed)
    arrays, facts = dict(arrays), copy.deepcopy(facts)
    facts.pop("format")
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if rng.random() < 0.25 and arrays:
            with np.errstate(all="ignore"):
                change_array(arrays, rng)
        elif facts:
            change_facts(facts, rng)
    write_arrays(file, arrays, facts)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    said = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            use()
    except DescendError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 1000
    assert time.process_time() - began < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < KIB
    return not said


@pytest.mark.parametrize("kind", KINDS)
def test_unchanged_models_are_used(saved, kind):
    file, use, arrays, facts = saved[kind]
    write_arrays(file, arrays, {name: value for name, value in facts.items() if name != "format"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        use()


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_changed_models_are_used_or_refused_on_one_line(saved, kind):
    used = [tried(saved, kind, seed) for seed in range(20)]
    assert not all(used)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_changed_models_are_used_or_refused_on_one_line(saved, kind):
    used = [tried(saved, kind, seed) for seed in range(1000, 1000 + times(60))]
    assert not all(used)
