"""A network as what is trained in steps: as far as a share of them, and on from its checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from descend.engine.trainer import Checkpoint
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.fitted import Predictor, Trained
from descend.tasks.common.network.model import Network
from descend.tasks.common.network.prepared import NetworkPrepared


@dataclass(frozen=True)
class NetworkCandidate:
    """The network that was prepared. Its training is saved on the way.

    - `name`: of the model; `title`: what sentences call it.
    - `model`: what predicts, made of the trained network.
    """

    name: str
    model: Callable[[Network], Predictor]
    title: str = "network"

    def fit(self, prepared: NetworkPrepared, context: TrainingContext) -> Trained:
        """Train it without the examples that are validated on, and predict these."""
        network = prepared.network
        network.seconds, network.observers = context.seconds, context.observers
        # A network goes on from its checkpoint wherever there is one, and a folder that is begun anew has none.
        network.checkpoint = context.checkpoint and Checkpoint(context.checkpoint, every=1.0)
        return fit_network(network, prepared, self.name, self.model, context.share)

    def checkpoint_in(self, folder: Path | None) -> Path | None:
        """The file that its training is saved in."""
        saved = checkpoint_in(folder)
        return None if saved is None else Path(saved.path)


def fit_network(
    network: Network, prepared: NetworkPrepared, name: str, model: Callable[[Network], Predictor], share: float = 1.0
) -> Trained:
    """A network trained on what was prepared, which sees and saves as it is set to; `share`: how much of its training
    is to be made by now."""
    learnt, validation = prepared.for_network
    trainer = network.begun(learnt.inputs, learnt.targets, learnt.weights, **validation)
    network.keep(trainer.to_the_end(trainer.resting_at(share)))
    unseen = network.predict_proba(validation["X_val"]) if validation else None
    return Trained(name, model(network), repr(network.rule_), network.stop_reason_, network.training_seconds_,
                   network.history_, unseen)


def checkpoint_in(folder: Path | None, name: str = "network") -> Checkpoint | None:
    """Where a network is saved on the way."""
    return Checkpoint(folder / f"{name}.safetensors", every=1.0) if folder else None
