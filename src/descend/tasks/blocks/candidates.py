"""What a table larger than memory is learnt by: the linear model in passes, and the perceptron in steps."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from descend._saved import file_of
from descend.engine.history import History
from descend.engine.trainer import Checkpoint
from descend.tasks.blocks.predictor import LINEAR, PERCEPTRON, OnBlocks, classes_of
from descend.tasks.blocks.prepared import BlocksPrepared
from descend.tasks.blocks.progress import Looking, Passes
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.fitted import Trained

# How far above its minimum the linear model's objective may be, relative to that, as of tables in memory.
TOL = 1e-6
# Times that a perceptron sees all rows, where nobody says.
EPOCHS = 3.0


@runtime_checkable
class Candidate(Protocol):
    """A kind of model: its `name`, and the `title` that sentences have for it."""

    name: ClassVar[str]
    title: ClassVar[str]

    def fit(self, prepared: BlocksPrepared, context: TrainingContext) -> Trained:
        """Train it, and predict the rows by which models are compared."""
        ...

    def checkpoint_in(self, folder: Path | None) -> Path | None:
        """The file that its training is saved in."""
        return folder and folder / f"{self.name}.safetensors"


class LinearOnBlocks(Candidate):
    """The linear model. What its passes came to is kept: those of a fit that goes on begin there."""

    name = LINEAR
    title = "linear model"

    def fit(self, prepared: BlocksPrepared, context: TrainingContext) -> Trained:
        file = context.checkpoint
        kind = classes_of(LINEAR, prepared.target)
        is_begun = context.resume and file is not None and file_of(file).exists()
        model = kind.load(file) if is_begun else kind(**self._settings(prepared))
        seconds = 0.0
        if not is_begun or model.stop_reason_.name == "interrupted":
            seconds = self._solve(model.set_params(warm_start=is_begun), prepared, context)
            if file is not None:
                model.save(file)
        predictor = OnBlocks(LINEAR, model, prepared.target)
        return Trained(LINEAR, predictor, model.solver_, model.stop_reason_, seconds, _history(model),
                       predictor.predict(prepared.compared.inputs))

    def _settings(self, prepared: BlocksPrepared) -> dict[str, Any]:
        # A multinomial loss would need the scores of all rows in memory.
        return {"tol": TOL} | ({"multi_class": "ovr"} if prepared.target.kind == "multiclass" else {})

    def _solve(self, model: Any, prepared: BlocksPrepared, context: TrainingContext) -> float:
        """Fit it; how many seconds that took."""
        with ExitStack() as stack:
            for observer in context.observers:
                if isinstance(observer, AbstractContextManager):
                    stack.enter_context(observer)
            passes = Passes(context.observers, context.seconds, context.interrupted, prepared.whole)
            model.set_callbacks(passes).fit(prepared.watched(passes.read))
            model.stop_reason_ = passes.ended(model.stop_reason_)
        return passes.seconds


class PerceptronOnBlocks(Candidate):
    """The perceptron, which has a checkpoint on its way."""

    name = PERCEPTRON
    title = "perceptron"

    def fit(self, prepared: BlocksPrepared, context: TrainingContext) -> Trained:
        settings = context.settings
        with Looking(prepared.looks("looking"), prepared.whole) as looking:
            model = classes_of(PERCEPTRON, prepared.target)(
                epochs=settings.epochs or (EPOCHS if settings.seconds is None else None), seconds=context.seconds,
                random_state=settings.seed, observers=context.observers,
                checkpoint=None if context.checkpoint is None else Checkpoint(context.checkpoint, every=1.0),
            ).fit(prepared.watched(looking))
        predictor = OnBlocks(PERCEPTRON, model, prepared.target)
        return Trained(PERCEPTRON, predictor, repr(model.rule_), model.stop_reason_, model.training_seconds_,
                       model.history_, predictor.predict(prepared.compared.inputs))


# The simplest first, which is kept where another one loses as much.
CANDIDATES: tuple[Candidate, ...] = (LinearOnBlocks(), PerceptronOnBlocks())


def _history(model: Any) -> History:
    """The objective at the start and after each iteration; of several classes, their mean, as long as all go on."""
    curves = model.loss_curve_ if isinstance(model.loss_curve_, list) else [model.loss_curve_]
    length = min(map(len, curves))
    loss = np.mean([curve[:length] for curve in curves], axis=0)
    return History.from_arrays({"step/step": np.arange(length), "step/loss": loss}, stride=1)


