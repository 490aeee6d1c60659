"""What is trained where there is something to start from: in which order, from which layers, and judged by what."""

from unittest.mock import Mock

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from descend.engine.history import History
from descend.engine.interruption import Interruption
from descend.neural import ConvClassifier
from descend.neural.frozen import features_of
from descend.neural.starting import Start
from descend.stopping import Reason
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.examples import Examples
from descend.tasks.common.network.collection import Collection
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.images import ladder
from descend.tasks.images.probe import fit_probe
from descend.tasks.images.task import ImageTask
from descend.training import Trainer
from tiny_resnet import written

CLASSES = ("a", "b", "c")
COUNT = 90
NUMBERS = (np.arange(COUNT) % 3).astype(np.int32)
SETTINGS = Settings("class")


def pictures(numbers, noise=30, seed=0):
    rng = np.random.default_rng(seed)
    tones = rng.normal(70 + 50 * numbers[:, None, None, None], noise, (len(numbers), 8, 8, 3))
    return np.clip(tones, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return Start.read(written(tmp_path_factory.mktemp("weights") / "weights.safetensors"))


class Network(ConvClassifier):
    """What stands for a network: it says nothing of any picture."""

    rule_, stop_reason_, training_seconds_, history_ = "rule", Reason("budget", "all steps", 5), 10.0, History()

    def begun(self, X, y, weights, X_val, y_val):
        self.began_with = self.start
        return Mock(spec=Trainer)

    def keep(self, result):
        """It is what it is."""

    def predict_proba(self, X):
        return np.full((len(X), 3), 1 / 3)


def prepared(numbers=NUMBERS, kept=True):
    target = Target("multiclass", CLASSES, "")
    training = Examples(pictures(NUMBERS), numbers)
    ready = NetworkPrepared(target, training, Examples(pictures(NUMBERS, seed=1), NUMBERS), network=Network())
    return ladder.divided(ready, 0) if kept else ready


def probed(ready, start):
    return fit_probe(ready, start, CLASSES, TrainingContext(SETTINGS, Interruption()))


def test_its_last_layer_is_the_linear_model_of_the_features(start):
    ready = prepared()
    trained, begin = probed(ready, start)
    network = trained.predictor.network
    features = features_of(network, ready.training.inputs).astype(float)
    units = np.where(features.std(0) > 0, features.std(0), 1)
    rows = (features - features.mean(0)) / units
    learnt = np.setdiff1d(np.arange(COUNT), ready.kept_back)

    def nearest(matrix, added, some):
        """How far the layer is from scikit-learn's models of some rows, at the nearest of the penalties tried."""
        scores = features[:5] @ matrix + added
        odds = scores - scores.mean(axis=1, keepdims=True)
        models = (LogisticRegression(C=10 ** (half / 2), solver="newton-cholesky").fit(rows[some], NUMBERS[some])
                  for half in range(-4, 9))
        return min(np.abs(odds - model.decision_function(rows[:5])).max() / np.abs(odds).max() for model in models)

    assert nearest(np.asarray(network.network_.weight), np.asarray(network.network_.bias), np.arange(COUNT)) < 0.01
    # The one that a network goes on from has not seen what that is validated on.
    assert nearest(*begin.head, learnt) < 0.03
    assert nearest(*begin.head, np.arange(COUNT)) > 0.03
    assert "proved by the duality gap" in trained.how


def test_pictures_are_judged_by_models_that_have_not_seen_them(start):
    noise = np.random.default_rng(0).integers(0, 3, COUNT).astype(np.int32)
    ready = prepared(noise, kept=False)
    trained, _ = probed(ready, start)
    assert trained.unseen.shape == (COUNT, 3)
    losses = -np.log(trained.unseen[np.arange(COUNT), noise])
    assert losses.mean() > 0.97 * np.log(3)


def test_a_start_is_tried_beside_all_that_needs_none(start, monkeypatch):
    ready, anew = prepared(), Network()
    fitted = ladder.climb(ready, CLASSES, Settings("class", seconds=1000.0), ladder.Transfer(start, anew))
    assert [each.name for each in fitted.trained] == ["kernel", "frozen", "fine-tuned", "residual"]
    # Each of the networks has half of what is left; the one that goes on begins with the linear model's layer.
    spent = sum(each.seconds for each in fitted.trained[:2])
    assert ready.network.seconds == pytest.approx((1000.0 - spent) / 2)
    assert anew.seconds == pytest.approx(1000.0 - spent - 10.0)
    assert ready.network.began_with.head[0].shape == (32, 3)
    assert anew.began_with is None
    assert set(fitted.validation) == {"kernel", "frozen", "fine-tuned", "residual"}
    assert "fine-tuned ResNet-10" in fitted.why


def test_a_run_is_another_one_with_another_start(start):
    learnt = Examples(pictures(NUMBERS), NUMBERS)
    asked = ImageTask(Collection("name", "digest", CLASSES, learnt), SETTINGS, start).asked
    assert asked["settings"]["start"] == start.digest
    assert asked["start"] == str(start.file)
    plain = ImageTask(Collection("name", "digest", CLASSES, learnt), SETTINGS).asked
    assert plain["settings"]["start"] is None
    assert "start" not in plain
