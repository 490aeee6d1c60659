"""The ladder of pictures: which model is kept, by pictures that it had not seen, and what is stored of it."""

from unittest.mock import Mock

import numpy as np
import pytest

from descend import load_model
from descend._facts import Facts
from descend.engine.history import History
from descend.errors import CheckpointError
from descend.neural import ConvClassifier
from descend.stopping import Reason
from descend.tasks.common.examples import Examples
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.images import ladder
from descend.tasks.images.blend import BlendedClassifier
from descend.tasks.images.kernel.machine import HogClassifier
from descend.tasks.images.model import ImageModel
from descend.training import Trainer

CLASSES = ("a", "b")
TARGET = Target("binary", CLASSES, "")
SETTINGS = Settings("class")


def examples(count, noise, seed):
    """Pictures that are darker of one class, the less noise the surer."""
    rng, numbers = np.random.default_rng(seed), (np.arange(count) % 2).astype(np.int32)
    pixels = np.clip(rng.normal(100 + 30 * numbers[:, None, None, None], noise, (count, 4, 4, 1)), 0, 255)
    return Examples(pixels.astype(np.uint8), numbers)


class Trained(ConvClassifier):
    """What stands for a network: it says of a class what its picture's tone says, as surely as it is told to."""

    model, rule_, stop_reason_ = "residual", "rule", Reason("budget", "all steps", 5)
    training_seconds_, history_, seconds = 1.0, History(), None

    def __init__(self, sure):
        self.sure = sure

    def begun(self, X, y, weights, X_val, y_val):
        self.learnt, self.validated = len(X), len(X_val)
        return Mock(spec=Trainer)

    def keep(self, result):
        """It is what it is."""

    def predict_proba(self, X):
        is_second = np.asarray(X).mean(axis=(1, 2, 3)) > 115
        chance = np.where(is_second, self.sure, 1 - self.sure)
        return np.stack([1 - chance, chance], axis=1)


def prepared(count=120, noise=60, sure=0.95, given=None):
    network, training = Trained(sure=sure), examples(count, noise, 0)
    whole = NetworkPrepared(TARGET, training, examples(20, noise, 1), network=network, validation=given)
    return ladder.divided(whole, 0)


@pytest.mark.parametrize("sure", [0.5, 0.02])
def test_a_network_that_its_unseen_pictures_say_is_worse_is_not_kept(sure):
    fitted = ladder.climb(prepared(noise=30, sure=sure), CLASSES, SETTINGS)
    assert (fitted.chosen.name, [each.name for each in fitted.trained]) == ("kernel", ["kernel", "residual"])
    assert isinstance(fitted.model.network, HogClassifier)
    assert "the kernel on gradients and colours loses less on rows not trained on than the network" in fitted.why
    assert fitted.validation["kernel"] > fitted.validation["residual"]


def test_a_kernel_that_its_unseen_pictures_say_is_worse_is_not_kept(monkeypatch):
    monkeypatch.setattr(HogClassifier, "left_out_", np.full((120, 2), 0.5), raising=False)
    monkeypatch.setattr(HogClassifier, "fit", lambda self, *rest: setattr(self, "penalty_", 1.0) or self)
    fitted = ladder.climb(prepared(noise=1), CLASSES, SETTINGS)
    assert (fitted.chosen.name, type(fitted.model.network)) == ("residual", Trained)


def test_pictures_that_the_network_is_validated_on_are_none_that_it_learns_from():
    ready = prepared()
    assert (len(ready.validation), len(ready.for_network[0])) == (24, 96)
    ladder.climb(ready, CLASSES, SETTINGS)
    assert (ready.network.learnt, ready.network.validated) == (96, 24)
    rows = lambda some: {row.tobytes() for row in some.inputs}
    assert not rows(ready.validation) & rows(ready.for_network[0])


def test_given_pictures_are_all_that_is_validated_on():
    given = examples(7, 30, 3)
    ready = prepared(given=given)
    assert ready.validation is given
    fitted = ladder.climb(ready, CLASSES, SETTINGS)
    assert (ready.network.learnt, ready.network.validated) == (120, 7)
    kernel = fitted.trained[0]
    np.testing.assert_array_equal(kernel.unseen, kernel.predictor.predict(given.inputs))


def test_few_pictures_are_the_kernels_and_many_the_networks(monkeypatch):
    few = ladder.climb(prepared(count=39), CLASSES, SETTINGS)
    assert [each.name for each in few.trained] == ["kernel"]
    assert few.why == "39 pictures are too few to validate a network on"
    monkeypatch.setattr(ladder, "MOST_FOR_KERNEL", 50)
    many = ladder.climb(prepared(count=60), CLASSES, SETTINGS)
    assert (many.chosen.name, many.why) == ("residual", "more than 50 pictures are the network's alone")


def test_the_network_has_the_time_that_the_kernel_leaves():
    ready = prepared()
    fitted = ladder.climb(ready, CLASSES, Settings("class", seconds=1000.0))
    assert ready.network.seconds == 1000.0 - fitted.trained[0].seconds
    late = ladder.climb(prepared(), CLASSES, Settings("class", seconds=1e-9))
    assert late.why == "only the kernel was trained before the time was up"


def test_a_blend_is_stored_and_damage_refused(tmp_path):
    some = examples(40, 30, 0)
    network = ConvClassifier(width=2, epochs=1, random_state=0).fit(some.inputs, some.targets)
    kernel = HogClassifier().fit(some.inputs, some.targets)
    model = ImageModel(BlendedClassifier(((0.25, kernel), (0.75, network))), CLASSES)
    facts, arrays = model.to_parts()
    again = ImageModel.from_parts(Facts(facts, "file"), arrays)
    np.testing.assert_array_equal(again.predict(some.inputs), model.predict(some.inputs))
    mean = 0.25 * kernel.predict_proba(some.inputs) + 0.75 * network.predict_proba(some.inputs)
    np.testing.assert_allclose(model.predict(some.inputs), mean, rtol=1e-12)
    estimator = again.as_estimator()
    assert set(estimator.predict(some.inputs)) <= set(CLASSES)
    estimator.save(tmp_path / "blend.safetensors")
    loaded = load_model(tmp_path / "blend.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(some.inputs), model.predict(some.inputs))
    np.testing.assert_array_equal(loaded.predict(some.inputs), estimator.predict(some.inputs))
    assert loaded.describe() == model.describe()
    loaded.of = ((1.0, loaded.of[0][1]),)
    assert set(loaded.fit(some.inputs, np.array(["c", "d"])[some.targets]).predict(some.inputs)) == {"c", "d"}
    for changed in ({"shares": [0.5, 0.6]}, {"shares": [1.0, 0.0]}, {"classes": ["a"]}, {"version": 3}, {"0": {}}):
        with pytest.raises(CheckpointError):
            ImageModel.from_parts(Facts(facts | changed, "file"), arrays)
