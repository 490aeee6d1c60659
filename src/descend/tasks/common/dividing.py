"""How the rows of a table are divided: which are learnt from, which are held out, and by which trainings are judged.

By chance, with as much of each class everywhere; or by whole groups, so that no group is on both sides; or by time, so
that what is judged on comes after all that was learnt from.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.tasks.common.columns import listing
from descend.tasks.common.examples import hold_out
from descend.tasks.common.settings import Settings
from descend.tasks.common.target import Target
from descend.tasks.common.typed_rows import TypedRows
from descend.tasks.common.typed_table import TypedTable

# Above so many rows, three members that are each validated on a tenth of them tell enough, and above many more, one: it
# is trained sooner than five.
FOLDS, LARGE_TABLE, HUGE_TABLE = 5, 20_000, 100_000
# Of more groups, each part has its share of the classes without their being weighed, which takes a millisecond each.
MANY_GROUPS = 1000


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


@dataclass(frozen=True)
class Division:
    """A table, divided.

    - `target`: what is predicted: one of the classes that are learnt from.
    - `training`, `held_out`: the rows to learn from, and those to score on.
    - `folds`: of the former.
    - `notes`: how it was done, if not by chance, in sentences.
    """

    target: Target
    training: TypedRows
    held_out: TypedRows
    folds: Folds
    notes: tuple[str, ...] = ()


def divide(table: TypedTable, settings: Settings) -> Division:
    """Divide a table, as was said of its rows.

    **Raises** `InputError` if there are too few rows, groups or times.
    """
    _refuse_few_parts(table, settings)
    if table.test is not None:
        every = table.chosen(np.arange(len(table)))
        return Division(table.target, every, table.test, _folds(every, table.target, settings))
    labels = table.target.encode(table.values) if table.target.classes else None
    rows, others = _rows_apart(table, labels, settings)
    target, others, aside = _learnt(table, labels, rows, others)
    training = table.chosen(rows)
    notes = (*_told(table, others, settings), *aside)
    return Division(target, training, table.chosen(others), _folds(training, target, settings), notes)


def _refuse_few_parts(table: TypedTable, settings: Settings) -> None:
    """Refuse fewer groups, or times, than there are sides."""
    holds_out = table.test is None and settings.hold_out is not None
    needed, whats = (3, "to learn from, to validate on and to hold out") if holds_out else (
        2, "to learn from and to validate on")
    for option, name, each, what in (("group", settings.group, table.groups, "groups"),
                                     ("time", settings.time, table.times, "times")):
        count = needed if each is None else len(np.unique(each))
        if count < needed:
            raise InputError(f"--{option} {name}: all rows together have {count} of the {what}, and {needed} at least "
                             f"are needed, {whats}")


def _rows_apart(table: TypedTable, labels: np.ndarray | None, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the rows to learn from, and of those to hold out."""
    share = settings.hold_out
    if share is None:
        return np.arange(len(table)), np.arange(0)
    if table.times is not None:
        apart = _latest(table.times, share, earlier=2)
    elif table.groups is not None:
        apart = _some_groups(table.groups, labels, share, settings.dividing_seed)
    else:
        rows, others = hold_out(len(table), table.target, labels, settings, "rows")
        return rows, others
    rows, others = np.flatnonzero(~apart), np.flatnonzero(apart)
    if not table.target.classes and min(len(rows), len(others)) < 2:
        raise InputError(f"{len(rows):,} rows would be learnt from and {len(others):,} held out, and each needs two at "
                         "least: add more")
    return rows, others


def _learnt(
    table: TypedTable, labels: np.ndarray | None, rows: np.ndarray, others: np.ndarray
) -> tuple[Target, np.ndarray, tuple[str, ...]]:
    """The target with the classes that are learnt from; of the rows to hold out, those of such classes; what to tell.

    A division by chance has all classes on both sides; of groups and of times, a class may have one alone.
    """
    target = table.target
    if labels is None:
        return target, others, ()
    is_learnt = np.isin(np.arange(len(target.classes)), labels[rows])
    if is_learnt.all():
        return target, others, ()
    kept = tuple(name for name, learnt in zip(target.classes, is_learnt, strict=True) if learnt)
    if len(kept) < 2:
        raise InputError(f"the rows to learn from are all of one class of {table.target_name}, {kept[0]!r}: there is "
                         "nothing to tell apart")
    lost = [name for name in target.classes if name not in kept]
    left = others[is_learnt[labels[others]]]
    note = (f"{len(others) - len(left):,} held-out rows set aside, of classes of {table.target_name} that no row to "
            f"learn from has ({listing(lost)})")
    if not len(left):
        raise InputError(f"all {note}: there is nothing to score on")
    return replace(target, kind="binary" if len(kept) == 2 else "multiclass", classes=kept), left, (note,)


def _told(table: TypedTable, others: np.ndarray, settings: Settings) -> tuple[str, ...]:
    """How rows were held out, where that is not by chance."""
    if not len(others):
        return ()
    if table.times is not None:
        return (f"held out are the rows from {_shown(table.times[others].min())} on, by {settings.time}; all others "
                "are of before",)
    if table.groups is not None:
        held, every = (len(np.unique(some)) for some in (table.groups[others], table.groups))
        return (f"held out are {held:,} of {every:,} groups by {settings.group}, whole",)
    return ()


def _shown(time: Any) -> str:
    """A number, or a date, without its clock if that says nothing."""
    if not isinstance(time, np.datetime64):
        return f"{time:.15g}"
    return str(time.astype("datetime64[s]")).removesuffix("T00:00:00").replace("T", " ")


def _folds(training: TypedRows, target: Target, settings: Settings) -> Folds:
    """The folds of the rows to learn from."""
    count = len(training)
    members, parts = _members_and_parts(count, settings.fast)
    labels = target.encode(training.values) if target.classes else None
    if training.times is not None:
        # One block: folds before it would be validated by models of ever fewer rows, of which no mean is wanted.
        latest = _latest(training.times, 1 / parts)
        where = f"on the latest {latest.sum():,} of the rows to learn from"
        return Folds(np.where(latest, 0, 1).astype(np.int32), 1, where)
    if training.groups is not None:
        numbers = _by_group(training.groups, labels, parts, settings.dividing_seed)
        members = min(members, int(numbers.max()) + 1)
        return Folds(numbers, members, f"{_where(members, parts)}, of whole groups")
    return folds_by_chance(count, labels, members, parts, settings.dividing_seed)


def folds_by_chance(count: int, labels: np.ndarray | None, members: int, parts: int, seed: int) -> Folds:
    """So many rows dealt to so many parts, of which the first `members` are validated on."""
    numbers = _by_chance(count, labels, min(parts, count), seed)
    return Folds(numbers, min(members, count), _where(members, parts))


def _members_and_parts(count: int, fast: bool) -> tuple[int, int]:
    """How many folds are validated on, and how many there are, of so many rows."""
    members, parts = (FOLDS, FOLDS) if count <= LARGE_TABLE else (3 if count <= HUGE_TABLE else 1, 2 * FOLDS)
    return (1 if fast else members), parts


def _where(members: int, parts: int) -> str:
    """What is validated on, in words."""
    if members == 1:
        return f"on a {'fifth' if parts == FOLDS else 'tenth'} of the rows"
    return f"in each of {members} folds" + (", a tenth of the rows each" if parts > FOLDS else "")


def _by_chance(count: int, labels: np.ndarray | None, parts: int, seed: int) -> np.ndarray:
    """The part that each row is in; every one has its share of each class that has a row for each."""
    # scikit-learn takes a second to import.
    from sklearn.model_selection import KFold, StratifiedKFold

    dealer = (StratifiedKFold if _can_be_shared(labels, parts) else KFold)(parts, shuffle=True, random_state=seed)
    numbers = np.zeros(count, np.int32)
    for number, (_, part) in enumerate(dealer.split(numbers, labels)):
        numbers[part] = number
    return numbers


def _by_group(groups: np.ndarray, labels: np.ndarray | None, parts: int, seed: int) -> np.ndarray:
    """The part that each row is in, that of its group; those come first whose size is nearest to an even share.

    Every part has about its share of the rows and of each class.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = len(np.unique(groups))
    parts = min(parts, count)
    dealer = (StratifiedGroupKFold if count <= MANY_GROUPS else GroupKFold)(parts, shuffle=True, random_state=seed)
    shared = labels if _can_be_shared(labels, parts) else np.zeros(len(groups), np.int32)
    dealt = [part for _, part in dealer.split(groups, shared, groups) if len(part)]
    # Those of equal size in any order: what deals them begins with the largest groups.
    order = sorted(np.random.default_rng(seed).permutation(len(dealt)).tolist(),
                   key=lambda number: abs(len(dealt[number]) * parts - len(groups)))
    numbers = np.zeros(len(groups), np.int32)
    for number, place in enumerate(order):
        numbers[dealt[place]] = number
    return numbers


def _can_be_shared(labels: np.ndarray | None, parts: int) -> bool:
    """Whether every class has a row for each part: what deals them warns where one has not, and refuses where none has.
    """
    return labels is not None and bool(np.bincount(labels).min() >= parts)


def _some_groups(groups: np.ndarray, labels: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """Which rows to hold out: whole groups, about so large a share of all rows, and of no class all, if that can be."""
    parts = _by_group(groups, labels, round(1 / min(share, 1 - share)), seed)
    masks = [(parts == number) == (share <= 0.5) for number in range(parts.max() + 1)]
    leaves_all = lambda apart: labels is None or len(np.unique(labels[~apart])) == len(np.unique(labels))
    return next(filter(leaves_all, masks), masks[0])


def _latest(times: np.ndarray, share: float, earlier: int = 1) -> np.ndarray:
    """Which rows are the latest, about so large a share of them: all from one time on.

    `earlier`: how many times at the least are left before.
    """
    distinct, counts = np.unique(times, return_counts=True)
    rows_from = counts[::-1].cumsum()[::-1]
    beginning = earlier + int(np.argmin(np.abs(rows_from[earlier:] - share * len(times))))
    return times >= distinct[beginning]
