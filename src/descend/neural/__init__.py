"""Neural networks for tables, images and text: scikit-learn estimators over `descend.minimize`.

What all estimators share:

| setting | meaning |
| --- | --- |
| `optimizer` | "auto" needs no learning rate; otherwise one of `descend.optimizers`, or its name, with its defaults |
| `batch_size` | examples a step; "auto": 64 (half, if less), 256 above 20,000 examples, all for a search like "lbfgs" |
| `epochs`, `seconds` | the budget; the first to be spent ends the training. `epochs=None` is the estimator's own |
| `validation_fraction` | the share held out to see when to stop, if 20 or more; or give `fit` `X_val` and `y_val` |
| `patience` | validations, one an epoch, without improvement after which to stop; the best network is kept |
| `label_smoothing` | of classifiers: the share of each target that is spread over all classes |
| `class_weight` | of classifiers: weights by class, or "balanced" |
| `ema` | the decay of an exponential moving average of the weights, which is then what predicts |
| `precision` | "float32"; "bfloat16" computes in half precision; "auto" does where the device is made for it |
| `random_state` | of the first weights, the held-out examples, the shuffling and all that is random in training |
| `warm_start` | whether `fit` goes on with the network that there is |
| `observers` | who looks on: called with a `descend.Progress` about ten times a second |
| `checkpoint` | a file to save the training in, and to go on from, bit for bit, if it is there; with a `random_state` |

| attribute | meaning |
| --- | --- |
| `network_`, `state_` | what was trained, an Equinox module, and what it keeps besides |
| `stop_reason_` | why it ended, a `descend.stopping.Reason` |
| `history_` | what was recorded at each step, and each validation |
| `loss_curve_`, `loss_` | the loss of each step's batch, and the mean of the last epoch's |
| `validation_scores_` | the accuracy, or R², on the held-out examples after each epoch |
| `n_iter_` | epochs |
| `rule_` | what it was trained with, with the learning rate that was found |
| `training_seconds_` | how long that took, those before a checkpoint that it went on from included |
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from descend.neural.images import ConvClassifier
    from descend.neural.language import LanguageModel
    from descend.neural.mlp import MLPClassifier, MLPRegressor
    from descend.neural.text import TextClassifier

__all__ = ["ConvClassifier", "LanguageModel", "MLPClassifier", "MLPRegressor", "TextClassifier"]

_HOMES = {"ConvClassifier": "images", "LanguageModel": "language", "MLPClassifier": "mlp", "MLPRegressor": "mlp",
          "TextClassifier": "text"}


def __getattr__(name: str) -> Any:
    """An estimator, imported where it is first asked for: who only reads files of pictures need not wait for them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
