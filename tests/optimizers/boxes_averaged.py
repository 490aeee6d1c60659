"""Algorithm boxes in plain NumPy: rules that are evaluated at an average."""

import numpy as np
import pytest
from case import Case

from descend.optimizers import ScheduleFreeAdamW, ScheduleFreeSGD


def schedule_free(start, rates, directions, *, beta, weight_decay):
    """Defazio et al. 2024, Algorithm 1 with the sequences x, y and z one by one; yields y and x."""
    x = z = start
    largest, total = 0.0, 0.0
    for rate, direction in zip(rates, directions, strict=True):
        y = (1 - beta) * z + beta * x
        largest = max(largest, rate)
        total += largest**2
        c = largest**2 / total
        z = z - rate * (direction + weight_decay * y)
        x = (1 - c) * x + c * z
        yield (1 - beta) * z + beta * x, x


def sgd_points(x, gradients, rates, *, beta=0.9, weight_decay=0.0):
    """The points y and x of schedule-free SGD."""
    return schedule_free(x, rates, gradients, beta=beta, weight_decay=weight_decay)


def adamw_points(x, gradients, rates, *, beta=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """The points y and x of schedule-free AdamW, with v corrected as in the authors' package."""

    def directions():
        v = np.zeros_like(x)
        for t, g in enumerate(gradients, start=1):
            v = beta2 * v + (1 - beta2) * g**2
            yield g / (np.sqrt(v / (1 - beta2**t)) + eps)

    return schedule_free(x, rates, directions(), beta=beta, weight_decay=weight_decay)


def sgd(x, gradients, rates, **settings):
    return (y for y, _ in sgd_points(x, gradients, rates, **settings))


def adamw(x, gradients, rates, **settings):
    return (y for y, _ in adamw_points(x, gradients, rates, **settings))


def authors_sgd(params, **settings):
    """The authors' rule, at y."""
    return _training(_authors().SGDScheduleFree(params, **settings))


def authors_adamw(params, **settings):
    """The authors' rule, at y."""
    return _training(_authors().AdamWScheduleFree(params, **settings))


def _authors():
    return pytest.importorskip("schedulefree", reason="compares with schedulefree: pip install 'descend[peers]'")


def _training(optimizer):
    optimizer.train()
    return optimizer


CASES = {
    "schedule_free_sgd": Case(
        ScheduleFreeSGD, sgd, {},
        torch=("boxes_averaged.authors_sgd", {"foreach": True}),
        optax=("optax.contrib.schedule_free_sgd", {}),
    ),
    "schedule_free_sgd_decayed": Case(
        ScheduleFreeSGD, sgd, {"beta": 0.6, "weight_decay": 0.1},
        torch=("boxes_averaged.authors_sgd", {"momentum": 0.6, "weight_decay": 0.1, "foreach": False}),
        optax=("optax.contrib.schedule_free_sgd", {"b1": 0.6, "weight_decay": 0.1}),
    ),
    "schedule_free_adamw": Case(
        ScheduleFreeAdamW, adamw, {},
        torch=("boxes_averaged.authors_adamw", {"foreach": True}),
        optax=("optax.contrib.schedule_free_adamw", {}),
    ),
    "schedule_free_adamw_decayed": Case(
        ScheduleFreeAdamW, adamw, {"beta": 0.7, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.1},
        torch=("boxes_averaged.authors_adamw",
               {"betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.1, "foreach": False}),
        optax=("optax.contrib.schedule_free_adamw", {"b1": 0.7, "b2": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
    ),
}
