"""The linear model as a candidate: solved, with a proof, unless a descent in steps was asked for."""

from collections.abc import Mapping

import numpy as np

from descend._facts import Facts
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.fitted import Predictor, Trained
from descend.tasks.common.linear.model import Linear
from descend.tasks.common.target import Target
from descend.tasks.table.candidate import Candidate, Findings
from descend.tasks.table.networks.architecture import NETWORKS, Architecture
from descend.tasks.table.preparing import TablePrepared
from descend.training import Trainer

# What is trained in steps. The rates are what did best on the samples.
IN_STEPS = Architecture(
    Linear.kind,
    hidden_layers=0,
    rates={"sgd": 0.1, "adagrad": 0.1, "rmsprop": 0.003, "adam": 0.02, "adamw": 0.02},
    decay=0.5,
)


class LinearCandidate(Candidate):
    """A linear model. It is solved on whatever thread there is, as Numba's kernels leave Python alone."""

    name = Linear.kind
    title = "linear model"
    runs_aside = True

    def fit(self, prepared: TablePrepared, context: TrainingContext) -> Trained:
        # Only whoever names an optimizer, or what only a descent has, sees it step.
        if context.settings.says_how_to_descend:
            # What compiles takes a second to import.
            from descend.tasks.table.networks.training import train_networks

            return train_networks(IN_STEPS, prepared, context)
        from descend.tasks.common.linear.path import fit_linear

        return fit_linear(prepared, context)

    def begun(self, prepared: TablePrepared, context: TrainingContext) -> tuple[Trainer, np.ndarray] | None:
        if not context.settings.says_how_to_descend:
            return None
        from descend.tasks.table.networks.training import training

        return training(IN_STEPS, prepared, context, None)[0], prepared.held_out.inputs

    def findings(self, trained: Trained, prepared: TablePrepared, target: str, is_chosen: bool) -> Findings:
        """The certificate, the path of penalties and the coefficients; nothing of one that was trained in steps."""
        linear = trained.predictor
        if not isinstance(linear, Linear):
            return Findings()
        from descend.tasks.table.linear.coefficients import as_frame, coefficients

        # Plotly takes half a second to import.
        from descend.tasks.table.linear.section import section_of

        found = coefficients(linear, prepared)
        files = {"coefficients.csv": as_frame(found).to_csv(index=False).encode()} if found else {}
        section = section_of(linear, prepared, found, target, is_chosen)
        facts = {"penalty": linear.path.penalty} | linear.certificate.facts()
        return Findings(section, facts, linear.certificate.brief, files)

    def reads(self, kind: str, predictor: Facts) -> bool:
        return kind == Linear.kind or (kind == NETWORKS and IN_STEPS.is_of(predictor))

    def load(
        self, kind: str, predictor: Facts, arrays: Mapping[str, np.ndarray], features: int, target: Target
    ) -> Predictor:
        if kind == Linear.kind:
            return Linear.from_parts(predictor, arrays, features, target)
        from descend.tasks.table.networks.training import Networks

        return Networks.from_parts(predictor, arrays, IN_STEPS, features, target)
