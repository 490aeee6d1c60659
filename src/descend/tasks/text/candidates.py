"""What is trained on texts, and chosen from, besides a network: linear models of words and of runs of letters."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from scipy import sparse

from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.examples import Examples
from descend.tasks.common.fitted import Trained
from descend.tasks.common.folded import Folded
from descend.tasks.common.judging.temperature import at_temperature, fitted_temperature
from descend.tasks.common.linear.model import Linear
from descend.tasks.common.linear.path import PenaltySearch, fit_linear
from descend.tasks.text.model import LinearOfTexts
from descend.tasks.text.ngrams import NGrams, Unit
from descend.tasks.text.preparing import TextPrepared

# Rows have length one. Weaker penalties change next to nothing but how sure the model is, which a temperature settles.
# The folds' models tell how sure the one is that is kept, and one that is not at its minimum would be less so.
SEARCH = PenaltySearch(strongest=1.0, weakest=1e-2, rough_tol=1e-4, tol=1e-5)
# Up to so many texts, their products with each other are fewer numbers than their n-grams.
FEW_TEXTS = 1500
# Of the largest eigenvalue: what is smaller is rounding.
NEGLIGIBLE = 1e-10


@dataclass(frozen=True)
class LinearCandidate:
    """A linear model of words, or of runs of letters, its penalty chosen out of fold, and solved with a proof."""

    name: Unit
    title: str

    def fit(self, prepared: TextPrepared, context: TrainingContext) -> Trained:
        """Learn which n-grams there are, and what they tell."""
        training = prepared.training
        known, rows = NGrams.learned(training.inputs, self.name)
        inputs, back = spanned(rows) if len(training) <= FEW_TEXTS else (rows, None)
        scaled = sparse.diags(1 / unseen_lengths(rows, prepared))
        folded = Folded(
            prepared.target, Examples(inputs, training.targets, weights=training.weights), prepared.held_out,
            folds=prepared.folds, members=prepared.members, validated_on=prepared.validated_on,
            as_unseen=scaled @ inputs,
        )
        trained = fit_linear(folded, context, SEARCH)
        linear = cast(Linear, trained.predictor)
        coefficients = linear.coefficients if back is None else (back @ linear.coefficients.T).T
        # Half the file, and seven digits.
        linear = replace(linear, coefficients=np.ascontiguousarray(coefficients, np.float32))
        truth = training.targets[prepared.validated]
        temperature = fitted_temperature(trained.unseen, truth, prepared.validated_weights).value
        return replace(trained, name=self.name, predictor=LinearOfTexts(known, linear, temperature),
                       out_of_fold=at_temperature(trained.unseen, temperature))

    def checkpoint_in(self, folder: Path | None) -> Path | None:
        """None: it is solved anew, and comes to the same."""
        return None


def unseen_lengths(rows: sparse.csr_matrix, prepared: Folded) -> np.ndarray:
    """The length of the part of each text that texts of other folds have.

    A model that has not learnt from a text's fold would not know the others, and divide by this length. They have no
    coefficients in it, so that to divide is all that is left to do.
    """
    lengths = np.ones(rows.shape[0])
    is_there = rows.astype(bool)
    texts_with_it = np.asarray(is_there.sum(axis=0)).ravel()
    for number in range(prepared.members):
        own = np.flatnonzero(prepared.folds == number)
        known_elsewhere = (texts_with_it > np.asarray(is_there[own].sum(axis=0)).ravel()).astype(float)
        lengths[own] = np.sqrt(rows[own].multiply(rows[own]) @ known_elsewhere)
    return np.where(lengths > 0, lengths, 1)


def spanned(rows: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Rows in an orthonormal base of what they span, (rows, rank); and what brings coefficients back to their columns.

        K = X Xᵀ = Q Λ Qᵀ,    Z = Q Λ^½,    w = Xᵀ Q Λ^-½ v

    A penalty ‖w‖² has its minimum among combinations of rows, so that fits to Z are those to X; and so are fits to some
    of the rows.

    Reference: Schölkopf, Herbrich and Smola (2001), "A generalized representer theorem".
    """
    values, vectors = np.linalg.eigh((rows @ rows.T).toarray())
    kept = values > NEGLIGIBLE * values[-1]
    roots = np.sqrt(values[kept])
    return vectors[:, kept] * roots, rows.T @ (vectors[:, kept] / roots)
