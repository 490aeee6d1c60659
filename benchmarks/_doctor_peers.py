"""What other doctors say of the same descents: runmedic reads their curves, torchmortem watches twins in PyTorch.

They tell symptoms, and not which of several causes it is. So what counts for them is generous: a fault is found if any
warning of theirs is a symptom that it usually has (`SYMPTOMS`, `MORTEM`). Notes below a warning do not count, neither
for nor against them.
"""

import contextlib
import io
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._ailing import Ailing
from benchmarks._ailing_tasks import Task
from descend import SGD, Adam, AdamW, InputError

LOOKS = 60  # at the held-out loss, on the way
HARMFUL_STARTS = ("constant weights", "large weights", "small weights", "dead units")
LARGE_STEPS = ("rate too high", "Adam's rate too high", "momentum", "batch of one", "unscaled inputs", "beta2")
STUCK = ("rate too low", "epsilon", "decay", "coupled decay", "frozen layer", "valley", "bounded output", "broadcast",
         "double softmax", "small weights", "dead units", "constant weights", "whole batch")  # fmt: skip
NO_VALUE = ("log of zero", "missing softmax", "root of zero", "division by zero")
SYMPTOMS = {  # of a run's curves: which faults a finding of runmedic may stand for
    "non_finite": (*NO_VALUE, *LARGE_STEPS),
    "divergence": LARGE_STEPS,
    "loss_spikes": (*LARGE_STEPS, "outliers", "large weights", "sorted"),
    "no_learning": (*STUCK, *LARGE_STEPS, "sorted"),
    "overfitting": ("overfitting", "wrong labels", "imbalance"),
    "grad_spikes": (*LARGE_STEPS, "outliers", "large weights"),
    "lr_plateau": (*STUCK, "rate too high", "momentum"),
}
MORTEM = {  # the same of torchmortem, by the beginning of a title
    "Training divergence": LARGE_STEPS,
    "Loss plateau": (*STUCK, "rate too high"),
    "Exploding": (*LARGE_STEPS, "outliers", "large weights"),
    "Vanishing": ("small weights", "dead units", "constant weights", "frozen layer"),
    "Gradient stalling": ("small weights", "dead units", "constant weights", "frozen layer", "rate too low"),
    "Dead units": ("dead units", "large weights", "rate too high", "unscaled inputs"),
    "Activation saturation": ("large weights", "unscaled inputs", "rate too high"),
    "Update ratio too low": ("rate too low", "epsilon", "large weights", "small weights", "dead units"),
    "Update ratio too high": (*LARGE_STEPS, "small weights"),
    "Rank collapse": ("constant weights", "decay", "dead units"),
    "Weight norm explosion": LARGE_STEPS,
    "Stagnant weight norms": ("rate too low", "epsilon", "dead units", "frozen layer"),
    "Inter-layer": HARMFUL_STARTS,
    "High gradient noise": ("batch of one", "outliers", "wrong labels"),
}


def by_runmedic(one: Ailing) -> set[str]:
    """The checks of runmedic that warn."""
    from runmedic.cli import main

    rows = list(_curves(one.task))
    with tempfile.TemporaryDirectory() as folder:
        file, told = Path(folder) / "metrics.csv", io.StringIO()
        file.write_text("step,train_loss,val_loss,grad_norm,learning_rate\n" + "".join(
            ",".join("" if value is None else f"{value:.8g}" for value in row) + "\n" for row in rows))
        with contextlib.redirect_stdout(told):
            main(["diagnose", str(file), "--json"])
    found = _findings(json.loads(told.getvalue()))
    return {finding["check"] for finding in found if finding["severity"] != "info"}


def _findings(told: Any) -> list[Any]:
    """Those of all runs in what runmedic prints."""
    if isinstance(told, dict):
        return told["findings"] if "findings" in told else [f for value in told.values() for f in _findings(value)]
    return [f for value in told for f in _findings(value)] if isinstance(told, list) else []


def _curves(task: Task) -> Iterator[tuple[Any, ...]]:
    """What a logger would have written: a row for each step, the held-out loss in some of them."""
    try:
        history = task.descended(validation=task.held_out, validate_every=max(task.steps // LOOKS, 1)).history
    except InputError:  # its first loss is not finite
        yield 0, math.nan, None, None, None
        return
    columns, checks = history.columns, history.validation
    held_out = dict(zip(checks.get("step", ()), checks.get("loss", ()), strict=True))
    names = ("step", "loss", "gradient_norm", "learning_rate")
    for step, loss, norm, rate in zip(*(columns[name] for name in names), strict=True):
        yield int(step), float(loss), held_out.get(int(step) + 1), float(norm), rate


def by_torchmortem(one: Ailing) -> set[str] | None:
    """The titles of torchmortem's warnings of a perceptron's twin; `None` of what has no twin here."""
    made = _twin(one)
    if made is None:
        return None
    from torchmortem import Autopsy
    from torchmortem.types import Severity

    model, optimizer, step, batches = made
    with Autopsy(model, optimizer=optimizer) as autopsy:
        for batch in batches:
            loss = step(batch)
            autopsy.step(loss=loss)
            if not np.isfinite(loss):
                break
    findings = autopsy._report.findings  # which it gives to a file only
    return {f.title for f in findings if f.severity >= Severity.WARNING}


def _twin(one: Ailing) -> tuple[Any, Any, Callable[[Any], float], Iterator[Any]] | None:
    """The same perceptron, start, batches and rule in PyTorch; its loss must be the usual one."""
    import torch

    task, fault = one.task, one.fault
    if not all(name.startswith("layer") for name in task.params) or fault in (*NO_VALUE, "broadcast", "bounded output",
                                                                             "frozen layer", "training mode"):
        return None
    optimizer = _optimizer(task.optimizer)
    if optimizer is None:
        return None
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}[task.activation]
    layers: list[Any] = []
    for part in task.params.values():
        layer = torch.nn.Linear(*part["w"].shape)
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(np.asarray(part["w"], np.float32).T))
            layer.bias.copy_(torch.as_tensor(np.asarray(part["b"], np.float32)))
        layers += [layer, activation()]
    model = torch.nn.Sequential(*layers[:-1])
    rule = optimizer(model.parameters())
    X, y = (torch.as_tensor(np.asarray(array)) for array in task.train)
    X = X.float()

    def loss_of(scores: Any, target: Any) -> Any:
        if target.is_floating_point():
            return 0.5 * ((scores[:, 0] - target.float()) ** 2).mean()
        scores = torch.softmax(scores, 1) if fault == "double softmax" else scores
        return torch.nn.functional.cross_entropy(scores, target.long())

    def step(batch: Any) -> float:
        rule.zero_grad()
        loss = loss_of(model(X[batch]), y[batch])
        loss.backward()
        rule.step()
        return float(loss.detach())

    return model, rule, step, _batches(task, len(y))


def _batches(task: Task, length: int) -> Iterator[Any]:
    """The rows of each step."""
    rng, order = np.random.default_rng(0), np.arange(length)
    shuffle = task.source is None or task.source.shuffle
    made = 0
    while made < task.steps:
        order = rng.permutation(length) if shuffle else order
        for first in range(0, length - task.batch_size + 1, task.batch_size):
            if made == task.steps:
                return
            yield order[first : first + task.batch_size]
            made += 1


def _optimizer(rule: Any) -> Callable[[Any], Any] | None:
    """PyTorch's, with the same settings; `None` for schedules and modifiers, which it has not."""
    import torch

    rate = rule.learning_rate if isinstance(rule, SGD | Adam | AdamW) else None
    if not isinstance(rate, int | float):
        return None
    if isinstance(rule, SGD):
        return lambda params: torch.optim.SGD(params, rate, momentum=float(rule.momentum))
    settings: dict[str, Any] = {"lr": rate, "betas": (float(rule.beta1), float(rule.beta2)), "eps": float(rule.eps)}
    if isinstance(rule, AdamW):
        return lambda params: torch.optim.AdamW(params, **settings, weight_decay=float(rule.weight_decay))
    return lambda params: torch.optim.Adam(params, **settings)


def means(symptoms: dict[str, tuple[str, ...]], found: set[str], fault: str) -> bool:
    """Whether what a peer found is a symptom of a fault."""
    return any(fault in faults for told, faults in symptoms.items() for title in found if title.startswith(told))


PEERS: tuple[tuple[str, Callable[[Ailing], set[str] | None], dict[str, tuple[str, ...]]], ...] = (
    ("runmedic", by_runmedic, SYMPTOMS),
    ("torchmortem", by_torchmortem, MORTEM),
)
