"""Ensembles of networks, trained by steps of an optimizer; see `ensemble` for what they are."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, TypeVar

import jax
import numpy as np

from descend._division import Division
from descend._facts import Facts, refuse_other_size
from descend._tree import join, split
from descend.engine.storing import tree_from_arrays, tree_to_arrays
from descend.engine.trainer import Checkpoint
from descend.errors import InputError, LostError
from descend.optimizers import WeightDecay
from descend.schedules import Cosine
from descend.sources import MiniBatches
from descend.stopping import Plateau
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.choosing.scoring import losses_and_scores, predictions_in_jax, predictions_of
from descend.tasks.common.dividing import LARGE_TABLE
from descend.tasks.common.fitted import Trained
from descend.tasks.common.settings import OPTIMIZERS, Settings
from descend.tasks.common.target import Target
from descend.tasks.table.networks.architecture import NETWORKS, Architecture
from descend.tasks.table.networks.binning import MAX_FEATURES, Bins
from descend.tasks.table.networks.ensemble import (
    DropoutLoss,
    Ensemble,
    Shape,
    TrainingLoss,
    build,
    mean_prediction,
)
from descend.tasks.table.networks.flat import Flat
from descend.tasks.table.preparing import TablePrepared
from descend.training import Trainer

N = TypeVar("N", Ensemble, Flat)

# Epochs where nobody says; of large tables fewer, of small ones as many as these steps take.
MIN_EPOCHS, MAX_EPOCHS, MIN_STEPS = 8, 25, 1000
# Of these, where somebody wants a model soon.
FAST_SHARE = 1 / 3
# Where nobody says, networks are trained anew for so many times as many epochs if the validation loss fell by such a
# share at least from the middle of the first training on, to at most so much above its least: so there is little noise.
# Of classes, unless nearly all rows are right already: few are left to be won for thrice the time.
LONGER, WORTHY_FALL, RISE, RIGHT_ENOUGH = 3, 0.15, 0.02, 0.97
# Rows above which there are fewer epochs.
MANY_ROWS = 10_000
# To predict: so few that what the members make of them stays in a core's cache.
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Networks:
    """An ensemble with its shape, as a `Predictor`; `bins`: how rows become what it is fed, if by anything."""

    shape: Shape
    ensemble: Ensemble
    bins: Bins | None = None

    kind: ClassVar[str] = NETWORKS

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """The members' mean, computed in blocks of rows."""
        blocks = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
        # Whoever asks sees what is not finite.
        with np.errstate(all="ignore"):
            return np.concatenate([mean_prediction(self.scores(block), self.shape.task) for block in blocks])

    def scores(self, rows: Any) -> Any:
        """Each member's scores of each row, in NumPy or in JAX."""
        networks = _on_host(self.ensemble) if isinstance(rows, np.ndarray) else self.ensemble
        return networks(rows if self.bins is None else self.bins(rows))

    def in_jax(self, rows: Any) -> Any:
        """The same as a function that JAX can trace."""
        return predictions_in_jax(self.scores(rows).astype(np.float64), self.shape.task).mean(axis=0)

    def describe(self) -> str:
        """The architecture and how many there are."""
        members = self.shape.members
        return self.shape.architecture + (f", {members} of them averaged" if members > 1 else "")

    def to_parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The shape, and the weights and ranges."""
        # How many features there are follows from the encoder.
        shape = {name: value for name, value in asdict(self.shape).items() if name != "features"}
        ranges = {} if self.bins is None else self.bins.to_arrays()
        return {"shape": shape}, tree_to_arrays(split(self.ensemble)[0], "weights") | ranges

    @classmethod
    def from_parts(
        cls, facts: Facts, arrays: Mapping[str, np.ndarray], architecture: Architecture, features: int, target: Target
    ) -> "Networks":
        """What `to_parts` took apart, for an architecture, so many features, and a target.

        **Raises** `CheckpointError` if it is something else.
        """
        told = facts.inner("shape")
        architecture = architecture.stored(told)
        bins = Bins.from_arrays(arrays, features, told) if architecture.hidden_layers else None
        shape = Shape(
            told.choice("architecture", (architecture.name,)),
            architecture.hidden_layers,
            told.choice("task", (target.kind,)),
            features + (0 if bins is None else len(bins)),
            told.whole("outputs", target.outputs, target.outputs),
            told.whole("members", 1),
            architecture.width,
        )
        # Before as much is drawn.
        refuse_other_size(arrays, "weights", shape.size, told.where)
        numbers, rest = split(build(shape, seed=0))
        return cls(shape, join(tree_from_arrays(numbers, arrays, "weights"), rest), bins)


def bins_of(architecture: Architecture, prepared: TablePrepared) -> Bins | None:
    """How an architecture's rows become what it is fed; linear models are fed the rows themselves."""
    return Bins.learnt(prepared.training.inputs) if architecture.hidden_layers else None


def fed(rows: np.ndarray, bins: Bins | None) -> np.ndarray:
    """What networks are fed of rows."""
    return rows if bins is None else bins.of_all(rows, ROWS_AT_ONCE)


def descent(
    architecture: Architecture, prepared: TablePrepared, settings: Settings, bins: Bins | None
) -> dict[str, Any]:
    """What `minimize` is given of a training: what is descended on, by which rule, and for how long."""
    target, training, architecture = prepared.target, prepared.training, architecture.sized(settings)
    rows = fed(training.inputs, bins)
    count, features = rows.shape
    shape = Shape(architecture.name, architecture.hidden_layers, target.kind, features, target.outputs,
                  prepared.members, architecture.width)
    batch_size = settings.batch_size or _usual_batch(count)
    dropout = architecture.dropout_for(count)
    # Of thousands of columns a step takes long, and few tell enough.
    steps = MIN_STEPS * min(1.0, MAX_FEATURES / features)
    usual = max(_epochs(count), steps * batch_size / count)
    epochs = settings.epochs or (FAST_SHARE * usual if settings.fast else usual)
    return {
        "loss": DropoutLoss(target.kind, dropout) if dropout else TrainingLoss(target.kind),
        "params": Flat.of(build(shape, settings.seed)),
        "data": (rows, training.targets, prepared.folds, training.every_weight),
        "optimizer": _optimizer(architecture, settings, target.outputs, epochs * count / batch_size),
        "batch_size": batch_size,
        "epochs": epochs,
        "seed": settings.seed,
    }


def _usual_batch(rows: int) -> int:
    """How many rows a step has where nobody says; processes have equal parts of them."""
    usual, division = min(64 if rows <= LARGE_TABLE else 256, rows), Division.among_all()
    if division is not None and rows < division.parts:
        raise InputError(f"{rows} rows to train on are too few for {division.parts} processes: each needs one of each "
                         "step")
    return usual if division is None else division.usual_size(usual)


def _divided(settled: dict[str, Any]) -> dict[str, Any]:
    """The same, with the rows of each batch divided among the processes that there are."""
    if (division := Division.among_all()) is None:
        return settled
    # Each has read the whole table anyway. So no row need be sent, and a checkpoint knows the data as of one process.
    batches = MiniBatches(settled["data"], settled["batch_size"], division=division)
    return settled | {"data": batches, "batch_size": None}


def _epochs(rows: int) -> float:
    """Of a table that is not small. The more rows there are, the less often a network has to see each."""
    return min(max(MAX_EPOCHS * math.sqrt(MANY_ROWS / rows), MIN_EPOCHS), MAX_EPOCHS)


def training(
    architecture: Architecture, prepared: TablePrepared, context: TrainingContext, bins: Bins | None
) -> tuple[Trainer, dict[float, np.ndarray]]:
    """The training of an ensemble with a member for each fold that is validated on; and what it keeps: by loss, of the
    parameters with the least, what the members gave for the rows that they had not seen."""
    target, settled = prepared.target, descent(architecture, prepared, context.settings, bins)
    rows, targets, folds, _ = (array[prepared.validated] for array in settled["data"])
    best: dict[float, np.ndarray] = {}

    def measure(flat: Flat) -> tuple[float, dict[str, float]]:
        # A training that goes astray is stopped by what is recorded of it.
        with np.errstate(all="ignore"):
            outputs = _on_host(flat).ensemble.unseen(rows, folds)
            losses, scores = losses_and_scores(outputs, targets, target.kind, prepared.validated_weights)
        loss = float(losses.mean())
        if loss < min(best, default=math.inf):
            best.clear()
            best[loss] = outputs
        return loss, {"score": float(scores.mean())}

    trainer = Trainer.begin(
        **_divided(settled),
        seconds=context.seconds,
        stop=Plateau(patience=max(20, round(settled["epochs"] / 4))),
        validation=measure,
        observers=context.observers,
        checkpoint=None if context.checkpoint is None else Checkpoint(context.checkpoint, every=1.0),
        resume=context.resume,
    )
    return trainer, best


def train_networks(architecture: Architecture, prepared: TablePrepared, context: TrainingContext) -> Trained:
    """An ensemble, trained with what was settled; or the better of two, where more epochs are worth trying."""
    bins = bins_of(architecture, prepared)
    loss, first = _trained(architecture, prepared, context, bins)
    if not (context.says_nothing and _is_worth_more(first, prepared.target)):
        return first
    longer_loss, longer = _trained(architecture, prepared, _longer(architecture, prepared, context, bins), bins)
    better = longer if longer_loss < loss else first
    # Who interrupts the longer one is told so, whichever is kept.
    reason = longer.reason if longer.reason.name == "interrupted" else better.reason
    return replace(better, reason=reason, seconds=first.seconds + longer.seconds)


def latest_begun(
    architecture: Architecture, prepared: TablePrepared, context: TrainingContext
) -> tuple[Trainer, np.ndarray]:
    """A training at its beginning, or where its checkpoint stands, and the held-out rows as it is fed them; of two, the
    longer one."""
    bins = bins_of(architecture, prepared)
    longer = _longer(architecture, prepared, context, bins)
    is_longer = longer.checkpoint is not None and longer.checkpoint.exists()
    trainer, _ = training(architecture, prepared, longer if is_longer else context, bins)
    return trainer, fed(prepared.held_out.inputs, bins)


def _longer(
    architecture: Architecture, prepared: TablePrepared, context: TrainingContext, bins: Bins | None
) -> TrainingContext:
    """What a training anew goes by, with a checkpoint of its own."""
    epochs = LONGER * descent(architecture, prepared, context.settings, bins)["epochs"]
    file = context.checkpoint
    return replace(context, settings=replace(context.settings, epochs=epochs),
                   checkpoint=None if file is None else file.with_stem(f"{file.stem}-longer"))


def _is_worth_more(trained: Trained, target: Target) -> bool:
    """Whether the validation loss was still falling much when the epochs were made."""
    steps, losses, scores = (np.array(trained.history.validation[name]) for name in ("step", "loss", "score"))
    if trained.reason.name != "budget" or (target.classes and scores[-1] >= RIGHT_ENOUGH):
        return False
    last, middle = losses[-1], losses[np.abs(steps - steps[-1] / 2).argmin()]
    return bool(last <= (1 + RISE) * losses.min() and last <= (1 - WORTHY_FALL) * middle)


def _trained(
    architecture: Architecture, prepared: TablePrepared, context: TrainingContext, bins: Bins | None
) -> tuple[float, Trained]:
    """An ensemble, and its least validation loss."""
    trainer, best = training(architecture, prepared, context, bins)
    result, target = trainer.to_the_end(trainer.resting_at(context.share)), prepared.target
    if result.reason.name == "lost":
        raise LostError(result.reason.evidence)
    # In NumPy, as what several processes have in common is computed with by all of them alone.
    ensemble = _on_host(result.params).ensemble
    # The result returns the best parameters, which need not be asked again.
    outputs = best.get(result.best.value)
    with np.errstate(all="ignore"):
        # Of a training that was resumed after its best validation.
        if outputs is None:
            rows, folds = prepared.training.inputs[prepared.validated], prepared.folds[prepared.validated]
            outputs = ensemble.unseen(fed(rows, bins), folds)
        # In double precision, so that no two classes of different scores come to be equally probable.
        out_of_fold = predictions_of(outputs.astype(np.float64), target.kind)
    return result.best.value, Trained(
        architecture.name, Networks(ensemble.shape, ensemble, bins), repr(result.run.descent.optimizer),
        result.reason, result.seconds, result.history, out_of_fold,
    )


def _on_host(networks: N) -> N:
    """The networks as NumPy computes them."""
    return jax.tree.map(np.asarray, networks)


def _optimizer(architecture: Architecture, settings: Settings, outputs: int, steps: float) -> Any:
    """The rule that was asked for, at the rate that was asked for; else what does well on tables."""
    name = settings.optimizer or "adamw"
    rate = settings.learning_rate or architecture.rates[name]
    schedule = Cosine(rate, warmup=20)
    if name != "adamw":
        return OPTIMIZERS[name](schedule)
    # A cosine's rates are half of its highest on average.
    decay = architecture.decay_for(outputs) / (rate / 2 * steps)
    return WeightDecay(OPTIMIZERS["adam"](schedule), decay, where="weights")
