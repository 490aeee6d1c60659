"""The training of a module: a trainer whose steps PyTorch makes."""

import dataclasses
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from descend._flags import as_flag
from descend._settings import budget_of, searched, stops_of, validation_of
from descend.engine.descent import Static
from descend.engine.digesting import digest
from descend.engine.identity import identity, without_addresses
from descend.engine.pace import DISPATCH_SECONDS, Pace
from descend.engine.planning import first_length
from descend.engine.progress import Observer
from descend.engine.rate_search import USUAL_RATE, RateSearch
from descend.engine.snapshots import Snapshots
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.optimizers import EMA, Optimizer
from descend.stopping import Convergence, GradientTolerance, Stop
from descend.torch._batches import batches_for
from descend.torch._bench import bench_of
from descend.torch._forking import rule_of_ours
from descend.torch._named import ByName
from descend.torch._run import ModuleDescent, begun, frozen_digest
from descend.training import Result, Trainer

# How many times that of copying a run a dispatch takes, at the least.
MIN_COPY_FACTOR = 100


class ModuleTrainer(Trainer):
    """The training of a module, taken further from outside: a `descend.Trainer`, whose steps PyTorch makes.

    `ModuleTrainer.begin` takes what `descend.torch.minimize` takes. Once a result was asked for, the module has its
    numbers: those of the best validation, or the last.

    >>> import torch
    >>> from descend import SGD
    >>> module = torch.nn.Linear(1, 1, bias=False)
    >>> x = torch.arange(4.0)[:, None]
    >>> fitted = lambda module, batch: (module(batch[0]) - batch[1]).square().mean()
    >>> trainer = ModuleTrainer.begin(module, fitted, (x, 2 * x), optimizer=SGD(0.1), batch_size=4, steps=60)
    >>> trainer.advance(steps=10).step
    10
    >>> result = trainer.to_the_end()
    >>> result.reason.name, round(module.weight.item(), 3)
    ('budget', 2.0)
    """

    @classmethod
    def begin(  # type: ignore[override]
        cls,
        module: nn.Module,
        loss: Callable[..., Any],
        data: Any,
        *,
        optimizer: Any = "auto",
        ema: float | None = None,
        batch_size: int | None = None,
        epochs: float | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        stop: Stop | Sequence[Stop] | None = None,
        validation: Any = None,
        validate_every: int | None = None,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
        resume: bool = False,
        snapshots: bool | float = False,
        seed: int = 0,
        on_nonfinite: Literal["stop", "skip"] = "stop",
    ) -> "ModuleTrainer":
        """A training before its first step; or, with `resume=True`, where its checkpoint stands."""
        begun_at = time.perf_counter()
        _refuse(loss, checkpoint, as_flag("resume", resume), validate_every, on_nonfinite)
        bench, source = bench_of(module), batches_for(data, batch_size)
        budget, per_epoch = budget_of(source, epochs, steps, seconds), source.steps_per_epoch or 1.0
        numbers = ByName(bench.parameters)
        rule, rate_search = _rule_of(optimizer, ema, budget.steps, source, numbers)
        tolerance, plateau, target = stops_of(stop, False, validation)
        if isinstance(tolerance, Convergence | GradientTolerance):
            raise InputError(f"stop={tolerance!r} looks at a loss without noise, and here each step sees other "
                             "examples: give Plateau() or Target(...), which look at the validation")
        first = rate_search.rule(USUAL_RATE) if rate_search else rule.over(first_length(budget.steps, seconds))
        is_skipped = on_nonfinite == "skip"
        descent = ModuleDescent(source, first, None, loss, Static.of(None), skip_nonfinite=is_skipped, bench=bench)
        before = time.perf_counter()
        run = begun(descent, seed)
        copying = time.perf_counter() - before
        saved = Checkpoint(Path(checkpoint)) if isinstance(checkpoint, str | Path) else checkpoint
        trainer = cls(
            run=run,
            budget=budget,
            rule=rule,
            rate_search=rate_search,
            identity=_identity(dataclasses.replace(descent, optimizer=rule), numbers, seed) if saved else {},
            snapshots=Snapshots.of(run, snapshots),
            start=run.state.params,
            plateau=plateau,
            target=target,
            validate=validation_of(validation, descent),
            validate_every=validate_every or max(per_epoch, 1.0),
            observers=observers,
            checkpoint=saved,
        )
        # So that copying takes no more than a hundredth of the time.
        trainer._pace = Pace(max(DISPATCH_SECONDS, MIN_COPY_FACTOR * copying))
        if resume and saved and saved.path.exists():
            trainer.hold()
            trainer.resume(saved.path)
        trainer.seconds += time.perf_counter() - begun_at
        return trainer

    def result(self) -> Result:
        """What came of it so far; the module has its numbers from then on, until it is taken further."""
        made = super().result()
        numbers = ByName((name.replace(".", "/"), p) for name, p in made.params.items())
        descent: Any = self.run.descent
        descent.bench.put(numbers, made.state)
        return dataclasses.replace(made, state=descent.whole(made.state))


def _refuse(loss: Any, checkpoint: Any, resume: bool, validate_every: int | None, on_nonfinite: str) -> None:
    """Refuse settings that cannot be."""
    if isinstance(loss, nn.Module) or getattr(loss, "__module__", "") == "torch.nn.functional":
        name = getattr(loss, "__name__", type(loss).__name__)
        raise InputError(f"loss= is called with the module and a batch, and {name} compares outputs with targets: "
                         "write lambda module, batch: criterion(module(batch[0]), batch[1])")
    if not callable(loss):
        raise InputError(f"loss= must be a function of the module and a batch, but is a {type(loss).__name__}")
    if resume and checkpoint is None:
        raise InputError("resume=True needs checkpoint=, the file to go on from")
    if validate_every is not None and validate_every < 1:
        raise InputError(f"validate_every must be at least 1 step, but is {validate_every}")
    if on_nonfinite not in ("stop", "skip"):
        raise InputError(f"on_nonfinite must be 'stop' or 'skip', but is {on_nonfinite!r}")


def _rule_of(
    optimizer: Any, ema: float | None, steps: int | None, source: Any, numbers: ByName
) -> tuple[Optimizer, RateSearch | None]:
    """The rule, its lengths left open; where its rate must be found first, how."""
    within = (lambda rule: rule) if ema is None else (lambda rule: EMA(rule, ema))
    if isinstance(optimizer, str) and optimizer == "auto":
        return searched(steps, source, numbers, within)
    return within(rule_of_ours(optimizer)), None


def _identity(descent: ModuleDescent, numbers: ByName, seed: int) -> dict[str, Any]:
    """What a checkpoint must agree with."""
    module = getattr(descent.bench.module, "_orig_mod", descent.bench.module)
    layers = zlib.crc32(without_addresses(str(module)).encode())
    frozen = frozen_digest(descent.bench)
    return identity(descent, numbers, seed) | {
        "module": f"{type(module).__name__} {layers:08x}",
        "frozen parameters": digest(frozen) if frozen else None,
    }
