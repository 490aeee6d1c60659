"""How the rows of a table are divided: which are learnt from, which are held out, and by which trainings are judged."""

from dataclasses import dataclass

import numpy as np

from descend.tasks.common.examples import hold_out
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target

# Above so many rows, one member that is validated on a tenth of them tells enough, and is trained sooner than five.
FOLDS, LARGE_TABLE = 5, 20_000


@dataclass(frozen=True)
class Folds:
    """How the rows that are learnt from are dealt, for trainings to be validated on rows that they have not seen.

    - `numbers`: of the fold that each row is in.
    - `members`: how many folds are validated on, the first ones, each by a model that is trained without it.
    - `where`: what is validated on, in words.
    """

    numbers: np.ndarray
    members: int
    where: str

    @property
    def validated(self) -> np.ndarray:
        """Which rows are validated on."""
        return self.numbers < self.members


@dataclass(frozen=True)
class Division:
    """The numbers of the rows to learn from, and of those that are held out; and the folds of the former."""

    training: np.ndarray
    held_out: np.ndarray
    folds: Folds


def divide(count: int, target: Target, labels: np.ndarray | None, settings: Settings) -> Division:
    """Divide so many rows by chance, as much of each class, by its labels, into each part.

    **Raises** `InputError` if they are too few.
    """
    training, held_out = hold_out(count, target, labels, settings, "rows")
    return Division(training, held_out, _dealt(len(training), None if labels is None else labels[training], settings))


def _dealt(count: int, labels: np.ndarray | None, settings: Settings) -> Folds:
    """Folds by chance; every one has its share of each class that has a row for each."""
    # scikit-learn takes a second to import.
    from sklearn.model_selection import KFold, StratifiedKFold

    members, folds = (FOLDS, FOLDS) if count <= LARGE_TABLE else (1, 2 * FOLDS)
    members, folds = min(members, count), min(folds, count)
    # StratifiedKFold warns of a class with fewer rows than folds, and refuses where all classes are so small.
    stratified = labels is not None and np.bincount(labels).min() >= folds
    dealer = (StratifiedKFold if stratified else KFold)(folds, shuffle=True, random_state=settings.seed)
    numbers = np.zeros(count, np.int32)
    for number, (_, unseen) in enumerate(dealer.split(numbers, labels)):
        numbers[unseen] = number
    return Folds(numbers, members, f"in each of {members} folds" if members > 1 else "on a tenth of the rows")
