"""A linear model of a network's features, whose layers stay: solved, with a proof, and judged out of fold.

A network that goes on from there begins with such a layer: with one that is drawn, its first steps would spoil the
others before it knows what to ask of them.

Reference: Kumar et al., "Fine-tuning can distort pretrained features and underperform out-of-distribution", arXiv
2202.10054.
"""

import time
from dataclasses import replace
from typing import cast

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from descend.neural.frozen import features_of, frozen, with_head
from descend.neural.starting import Start
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Trained
from descend.tasks.common.folded import Folded
from descend.tasks.common.linear.model import Linear
from descend.tasks.common.linear.path import fit_linear
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.images.model import ImageModel

PROBE = "frozen"
MEMBERS = 5
# Of a feature, beside the largest of all: less is rounding, or what hardly a picture has any of.
LEAST_SPREAD = 1e-6
Head = tuple[np.ndarray, np.ndarray]


def fit_probe(
    prepared: NetworkPrepared, start: Start, classes: tuple[str, ...], context: TrainingContext
) -> tuple[Trained, Start]:
    """The model; and the start with a last layer that was found on the pictures that a network learns from."""
    began = time.perf_counter()
    training, validation = prepared.training, prepared.validation
    network = frozen(start, training.inputs, len(classes))
    features = features_of(network, training.inputs).astype(np.float64)
    centre, unit = features.mean(axis=0), features.std(axis=0)
    unit = np.where(unit > LEAST_SPREAD * max(float(unit.max()), 1.0), unit, np.inf)
    rows = Examples((features - centre) / unit, training.targets)
    folded = Folded(prepared.target, rows, prepared.held_out, folds=_folds(training.targets, context.settings.seed),
                    members=MEMBERS, validated_on="each fifth in turn")
    left = None if context.seconds is None else context.seconds - (time.perf_counter() - began)
    trained = fit_linear(folded, replace(context, seconds=left))
    linear = cast(Linear, trained.predictor)
    head = _as_head((linear.coefficients, linear.intercepts), centre, unit)
    with_head(network, *head)
    if prepared.kept_back is not None:
        unseen = trained.unseen[prepared.kept_back]
        others = rows.chosen(np.setdiff1d(np.arange(len(rows)), prepared.kept_back))
        head = _as_head(_solved(others, linear.path.penalty), centre, unit)
    else:
        unseen = trained.unseen if validation is None else network.predict_proba(validation.inputs)
    told = replace(trained, name=PROBE, predictor=ImageModel(network, classes), how=linear.certificate.brief,
                   out_of_fold=unseen, seconds=time.perf_counter() - began)
    return told, replace(start, head=head)


def _as_head(found: Head, centre: np.ndarray, unit: np.ndarray) -> Head:
    """A linear model, (outputs, features), as a network's last layer, of features in their own units."""
    coefficients, intercepts = found
    matrix = (coefficients / unit).T
    added = intercepts - centre @ matrix
    if len(coefficients) > 1:
        return matrix, added
    # The odds of the second of two classes, beside none of the first.
    return np.hstack([0 * matrix, matrix]), np.append(0.0, added)


def _solved(rows: Examples, penalty: float) -> Head:
    """The linear model of some rows, at a penalty."""
    # Numba takes a second to import.
    from descend.linear import LogisticRegression

    model = LogisticRegression(C=1 / penalty).fit(rows.inputs, rows.targets)
    return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)


def _folds(targets: np.ndarray, seed: int) -> np.ndarray:
    """Which fold each picture is in; each class in all of them, if it has as many pictures."""
    kind = StratifiedKFold if np.bincount(targets).min() >= MEMBERS else KFold
    folds = np.zeros(len(targets), int)
    for number, (_, rows) in enumerate(kind(MEMBERS, shuffle=True, random_state=seed).split(targets[:, None], targets)):
        folds[rows] = number
    return folds
