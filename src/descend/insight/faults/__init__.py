"""What may go wrong in a descent: a fault is a function from a case to a suspicion, or to none."""

from descend.insight.faults import data, evaluation, generalisation, geometry, labels, leakage, losses, rates, starts
from descend.insight.faults.suspicion import OF_TRAINING, ORDER, Suspect, Suspicion

SUSPECTS: tuple[Suspect, ...] = (
    *losses.OF_LOSSES,
    *data.OF_DATA,
    *labels.OF_LABELS,
    *starts.OF_STARTS,
    *rates.OF_RATES,
    *geometry.OF_GEOMETRY,
    *generalisation.OF_GENERALISATION,
    *leakage.OF_LEAKAGE,
    *evaluation.OF_EVALUATION,
)

__all__ = ["OF_TRAINING", "ORDER", "SUSPECTS", "Suspect", "Suspicion"]
