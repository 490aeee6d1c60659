"""What all neural estimators share: from arrays to a trained network, with the faces of scikit-learn."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_y, check_is_fitted

from descend._facts import Facts, refuse_nonfinite, refuse_other_size
from descend._flags import as_flag
from descend._onnx.traced import Traced
from descend._saved import Savable
from descend._tree import Tree, join, split
from descend.engine.storing import tree_from_arrays, tree_to_arrays
from descend.errors import InputError
from descend.neural._half_precision import check_precision, is_half
from descend.neural._network import SCORING_BLOCK, Network, scores_of
from descend.neural._objective import Examples, Kind, Objective, RandomObjective, Validation
from descend.neural._seed import seed_of
from descend.optimizers import as_optimizer, is_search
from descend.stopping import Plateau
from descend.training import Result, Trainer

# Fewer examples say nothing, and are better trained on.
MIN_HELD_OUT = 20


@dataclass(frozen=True)
class NetworkInit:
    """A network before training, the state it begins with, and what is done to its inputs in training alone."""

    network: Network
    state: Tree = None
    augment: Callable[[Any, Any], Any] | None = None


class NeuralEstimator(Savable, Traced, BaseEstimator):
    """A network that is trained on examples by a `Trainer`, as `minimize` has it.

    A concrete estimator takes these settings in its constructor, and says how data become inputs (`_inputs`) and what
    network is trained on them (`_init_network`).
    """

    _kind: Kind
    # Where nobody says.
    _epochs: float = 50
    # Of a penalty, which few networks have.
    alpha: float = 0.0
    _block = SCORING_BLOCK

    optimizer: Any
    batch_size: Any
    epochs: Any
    seconds: Any
    validation_fraction: float
    patience: int
    ema: Any
    precision: str
    random_state: Any
    warm_start: bool
    observers: Any
    checkpoint: Any

    def _inputs(self, X: Any, reset: bool) -> Any:
        """Data as a pytree of arrays with a row for each example; learns what it must if `reset`."""
        raise NotImplementedError

    def _init_network(self, inputs: Tree, outputs: int, rng: np.random.Generator) -> NetworkInit:
        """The network to be trained on such inputs."""
        raise NotImplementedError

    def _rule(self, inputs: Tree, batch_size: int) -> Any:
        """What to train with, on such inputs."""
        return self.optimizer

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What was learnt of inputs besides the network, as facts for JSON, and arrays by name."""
        raise NotImplementedError

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        """What `_inputs_learnt` gave; inputs such as the network is begun with, and how many weights it must have.

        **Raises** `CheckpointError` if it is something else.
        """
        raise NotImplementedError

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it predicts by, as facts for JSON, and arrays by name."""
        facts, arrays = self._inputs_learnt()
        network = tree_to_arrays(split(self.network_)[0], "network")
        return facts, network | tree_to_arrays(self.state_, "state") | arrays

    def take_parts(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> None:
        """What `parts` gave, for so many outputs, of a file that may be anybody's.

        **Raises** `CheckpointError` if it is something else.
        """
        inputs, size = self._take_inputs(told, arrays, outputs)
        # As many numbers as there are, and any will do: those that were trained take their place.
        refuse_other_size(arrays, "network", size, told.where)
        begin = self._init_network(inputs, outputs, np.random.default_rng(0))
        numbers, rest = split(begin.network)
        self.network_ = join(tree_from_arrays(numbers, arrays, "network"), rest)
        self.state_ = tree_from_arrays(begin.state, arrays, "state")
        refuse_nonfinite({name: array for name, array in arrays.items() if name.startswith(("network/", "state/"))},
                         told.where)
        # Of a variance below 0 there is no root, and scores would be NaN.
        if any(array.min(initial=0) < 0 for name, array in arrays.items()
               if name.startswith("state/") and "var" in name):
            told.refuse("state", "variances of at least 0", "less")

    def _to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        facts, arrays = self.parts()
        facts |= {"epochs": self.n_iter_, "seconds": self.training_seconds_}
        return facts, arrays | {"curve/loss": np.array(self.loss_curve_, np.float64),
                                "curve/validation": np.array(self.validation_scores_, np.float64)}

    def _from_parts(self, told: Facts, arrays: dict[str, np.ndarray]) -> None:
        self.take_parts(told, arrays, self._outputs_in(told, arrays))
        self.n_iter_, self.training_seconds_ = told.whole("epochs"), told.number("seconds", 0)
        self.loss_curve_, self.validation_scores_ = (
            np.ravel(arrays.get(f"curve/{what}", ())).tolist() for what in ("loss", "validation")
        )

    @property
    def loss_(self) -> float:
        """The mean loss of the steps of the last epoch; NaN where none was made."""
        per_epoch = max(1, len(self.loss_curve_) // self.n_iter_)
        return float(np.mean(self.loss_curve_[-per_epoch:])) if self.loss_curve_ else math.nan

    def _outputs_in(self, told: Facts, arrays: dict[str, np.ndarray]) -> int:
        """How many outputs the network of a file has."""
        raise NotImplementedError

    def _check_taken(self) -> None:
        self._check_settings()

    def _check_settings(self) -> None:
        """Refuse settings that mean nothing."""
        if not 0 <= self.validation_fraction < 1:
            raise InputError("validation_fraction must be at least 0 and less than 1, but is "
                             f"{self.validation_fraction}")
        check_precision(self.precision)
        as_flag("warm_start", self.warm_start)
        if self.patience < 1:
            raise InputError(f"patience must be at least 1, but is {self.patience}")

    def _targets(self, X: Any, y: Any) -> np.ndarray:
        """The targets, one for each example; refused are NaN, and what is missing."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        numeric = self._kind == "regression"
        y = _check_y(y, multi_output=numeric, y_numeric=numeric, estimator=self)
        check_consistent_length(X, y)
        return np.asarray(y)

    def _validation(self, X_val: Any, y_val: Any, encoded: Callable[[np.ndarray], np.ndarray]) -> Examples | None:
        """The examples to validate on, if they are given."""
        if (X_val is None) != (y_val is None):
            raise InputError("X_val and y_val belong together: give both, or neither")
        if X_val is None:
            return None
        inputs = self._inputs(X_val, reset=False)
        return inputs, encoded(self._targets(X_val, y_val)), None

    def _begun(
        self, begin: float, examples: Examples, outputs: int, smoothing: float = 0.0, validation: Examples | None = None
    ) -> Trainer:
        """The training before its first step, whose time is that since `begin`; without a `validation`, some of the
        examples are held out."""
        seed = seed_of(self.random_state, self.checkpoint)
        # 1. What to train on, and what to judge by.
        trained_on, held_out = self._split(examples, seed) if validation is None else (examples, validation)
        # 2. The network and its loss.
        start = self._network_to_train(trained_on[0], outputs, seed)
        count = len(trained_on[1])
        # 3. The descent, whose time is counted from where `fit` began: `seconds=` is of all that somebody waits for.
        prepared = time.perf_counter() - begin
        trainer = self._trainer(
            start,
            trained_on,
            seed,
            smoothing,
            optimizer=self._rule(trained_on[0], self._batch_size(count)),
            epochs=self._usual_epochs(count) if self.epochs is None else self.epochs,
            stop=[] if held_out is None else Plateau(self.patience),
            validation=None if held_out is None else Validation(self._kind, held_out, self._block),
            **self._seen_and_saved,
        )
        trainer.seconds += prepared
        return trainer

    def _trainer(self, start: NetworkInit, examples: Examples, seed: int, smoothing: float, **how: Any) -> Trainer:
        """A training of the network on these examples; `how`, where `Trainer.begin` is told more."""
        return Trainer.begin(
            self._objective(start, smoothing), start.network, examples, state=start.state, ema=self.ema,
            batch_size=self._batch_size(len(examples[1])), seconds=self.seconds, seed=seed, **how,
        )

    @property
    def _seen_and_saved(self) -> dict[str, Any]:
        return {"observers": self.observers, "checkpoint": self.checkpoint, "resume": self.checkpoint is not None}

    def _objective(self, start: NetworkInit, smoothing: float) -> Objective:
        # Whether anything is random is asked first: keys that nobody uses would be drawn at each step.
        make = RandomObjective if start.network.is_random or start.augment is not None else Objective
        return make(self._kind, smoothing, start.augment, is_half(self.precision), self.alpha)

    def _train(self, trainer: Trainer) -> None:
        """Train the network to the end, and keep it."""
        self.keep(trainer.to_the_end())

    def keep(self, result: Result) -> None:
        """Keep the network that came of a training that was `begun`, with what is known of it, as `fit` does."""
        source: Any = result.run.descent.source
        # What scikit-learn's users look for, in attributes that end with an underscore.
        self.__dict__.pop("_stream", None)
        self.network_, self.state_ = result.params, result.state
        self.history_, self.stop_reason_ = result.history, result.reason
        self.rule_, self.training_seconds_ = result.run.descent.optimizer, result.seconds
        self.loss_curve_ = result.history.columns.get("loss", np.zeros(0)).tolist()
        self.validation_scores_ = list(result.history.validation.get("score", []))
        self.n_iter_ = max(1, math.ceil(result.reason.step / source.steps_per_epoch))

    def _network_to_train(self, inputs: Tree, outputs: int, seed: int) -> NetworkInit:
        """A new network, or the one there is if training is to go on."""
        fresh = self._init_network(inputs, outputs, np.random.default_rng(seed))
        if not self.warm_start or not hasattr(self, "network_"):
            return fresh
        shapes = lambda network: [leaf.shape for leaf in jax.tree.leaves(network) if hasattr(leaf, "shape")]
        if shapes(fresh.network) != shapes(self.network_):
            raise InputError("warm_start=True goes on with the network there is, but these data or settings need "
                             "another one: fit a new estimator")
        return NetworkInit(self.network_, self.state_, fresh.augment)

    def _split(self, examples: Examples, seed: int) -> tuple[Examples, Examples | None]:
        """The examples to train on, and those held out, if they are enough to say something."""
        inputs, targets, weights = examples
        held = int(self.validation_fraction * len(targets))
        classes = len(np.unique(targets)) if self._kind == "classification" else 1
        if held < max(MIN_HELD_OUT, classes):
            return examples, None
        # Each class in both parts in its own share, which needs two examples of it.
        common = self._kind == "classification" and np.bincount(targets).min() > 1
        rows = train_test_split(
            np.arange(len(targets)), test_size=held, random_state=seed, stratify=targets if common else None
        )
        first, second = ((jax.tree.map(lambda a, part=part: a[part], inputs), targets[part],
                          None if weights is None else weights[part]) for part in rows)
        return first, second

    def _usual_epochs(self, count: int) -> float:
        """How many there are where nobody says."""
        return self._epochs

    def _batch_size(self, count: int) -> int:
        if self.batch_size == "auto":
            named = not isinstance(self.optimizer, str) or self.optimizer != "auto"
            if named and is_search(as_optimizer(self.optimizer)):
                return count
            # Of few, half: all of them would be a function, and descended on by a search along lines.
            return max(1, min(64 if count <= 20_000 else 256, count // 2))
        return min(int(self.batch_size), count)

    def describe(self) -> str:
        """What was trained, in a few words."""
        check_is_fitted(self)
        count = sum(leaf.size for leaf in jax.tree.leaves(split(self.network_)[0]))
        return self._described(f"{count:,} parameters")

    def _described(self, size: str) -> str:
        """What kind of network it is, in words, and of which size."""
        raise NotImplementedError

    def _drawn_rows(self) -> np.ndarray:
        """Some rows as `predict` takes them, drawn."""
        raise InputError(f"{type(self).__name__} is not exported to ONNX: words are told apart and hashed, which it "
                         "cannot express; save it")

    def _network_inputs(self, rows: Any) -> Any:
        """Rows as the network takes them, in JAX."""
        return rows

    def _scores(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return scores_of(self.network_, self.state_, self._inputs(X, reset=False), self._block)
