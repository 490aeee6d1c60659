"""Successive halving: all trials are begun, and the better half of them is taken twice as far, round by round.

Which trials are better is known only once all of a round have been judged. So it does not hang on which of them was
sooner, and a sweep that was killed ends as one that was not.

Reference: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
2016.
"""

import math
from collections.abc import Sequence

# With more of them, the first round would be so short that it tells little: an eighth of a training it is.
MAX_HALVINGS = 3


def shares(count: int, is_halved: bool) -> tuple[float, ...]:
    """How much of its training a trial has made by the end of each round, of so many settings.

    >>> shares(64, True), shares(3, True), shares(64, False)
    ((0.125, 0.25, 0.5, 1.0), (0.5, 1.0), (1.0,))
    """
    halvings = min(MAX_HALVINGS, int(math.log2(count))) if is_halved else 0
    return tuple(0.5**left for left in range(halvings, -1, -1))


def ranked(losses: Sequence[float]) -> list[int]:
    """The numbers of settings, the least loss first; of equals, the first that was given.

    >>> ranked([0.3, math.inf, 0.2, 0.3])
    [2, 0, 3, 1]
    """
    return sorted(range(len(losses)), key=losses.__getitem__)


def going_on(count: int) -> int:
    """How many of so many settings go on into the next round.

    >>> [going_on(count) for count in (64, 9, 2, 1)]
    [32, 5, 1, 1]
    """
    return math.ceil(count / 2)


def work(count: int, rounds: Sequence[float]) -> float:
    """How much all rounds are, in whole trainings, of so many settings.

    >>> work(64, shares(64, True)), work(64, shares(64, False))
    (20.0, 64.0)
    """
    made, before = 0.0, 0.0
    for share in rounds:
        made += count * (share - before)
        count, before = going_on(count), share
    return made
