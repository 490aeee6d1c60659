"""A run whose steps a module of PyTorch's makes: the verbs of `descend`'s runs, on a bench."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from descend._arrays import as_numpy
from descend._tree import Tree
from descend.engine import saving
from descend.engine.advancing import Trace
from descend.engine.checks import random_key
from descend.engine.descent import RUNNING, Descent, Guard, State
from descend.engine.evaluating import is_inherited
from descend.engine.loss import AuxiliaryState
from descend.engine.run import Run
from descend.engine.serializing import written
from descend.programs import processor
from descend.schedules import fixed, setting
from descend.torch import _looking
from descend.torch._bench import Bench
from descend.torch._forking import forked, random_numbers
from descend.torch._named import ByName
from descend.torch._steps import advanced


@setting
class ModuleDescent(Descent):
    """What a step of a module does not change: besides what all descents have, the bench that steps are made on."""

    bench: Any = fixed(default=None)

    def whole(self, params: Tree) -> Tree:
        """Parameters by the names that PyTorch has for them."""
        return {name.replace("/", "."): p for name, p in params.items()}

    def validation_of(self, validation: Any) -> Callable[[Tree, Tree], Mapping[str, float]]:
        """How the module is validated: by a function of it, or on held-out data."""
        return _looking.validation_of(validation, self)

    def gone_on(self, told: Mapping[str, Any]) -> "ModuleDescent":
        """The descent as a file tells how it stood: as it is, because nothing of it is found out on the way."""
        return self


@dataclass(frozen=True)
class ModuleRun(Run):
    """A module's descent at rest: a value that can be kept, forked, looked into, saved and advanced, like `Run`.

    Its parameters, and gradients, are dicts by PyTorch's names: `module.load_state_dict(run.params, strict=False)`
    has them in the module. That is where steps are made, so the module has the numbers of the run that was advanced
    last; what it had before is no run's.
    """

    descent: Any
    takes_turns: ClassVar[bool] = True

    # -------------------------------------------------------------------------------------------------------- going on

    def dispatch(self, n: int) -> tuple["ModuleRun", Trace]:
        state, trace = advanced(self.descent, self.state, n)
        return dataclasses.replace(self, state=state), trace

    def fork(
        self,
        *,
        optimizer: Any = None,
        learning_rate: Any = None,
        params: Tree = None,
        data: Any = None,
        batch_size: int | None = None,
        state: Tree = None,
        seed: int | None = None,
    ) -> "ModuleRun":
        """The run with what is given in the place of what it had, as `Run.fork` has it; `params` and `state`, the
        buffers, are dicts by PyTorch's names, of which some may be left out."""
        return forked(self, optimizer, learning_rate, params, data, batch_size, state, seed)

    # ---------------------------------------------------------------------------------------------------- looking into

    @property
    def eval_numbers(self) -> ByName:
        if is_inherited(self.descent.optimizer, "eval_params"):
            return self.state.params
        return _looking.average(self.descent.bench, self.state, self.descent.optimizer)

    @property
    def accepted_numbers(self) -> ByName:
        return self.state.params

    def batch(self) -> Any:
        return next(iter(self.descent.source.walk(self.state.cursor, 1)))[0]

    def loss(self, data: Any = None) -> float:
        return _looking.loss(self, data)

    def loss_and_grad(self, data: Any = None) -> tuple[float, Tree]:
        return _looking.loss_and_grad(self, data)

    def hvp(self, v: Tree, data: Any = None) -> Tree:
        return _looking.hvp(self, v, data)

    # ---------------------------------------------------------------------------------------------------------- saving

    def save(self, path: str | Path) -> None:
        saving.save(self, Path(path))

    @property
    def surroundings(self) -> Mapping[str, Any]:
        """What its last bits depend on besides it, here."""
        module = self.descent.bench.module
        return {
            "device": ", ".join(sorted({str(p.device) for p in module.parameters()})),
            "processor": processor(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "compiled": hasattr(module, "_orig_mod"),
        }

    def facts(self, data: str) -> dict[str, Any]:
        descent, source = self.descent, self.descent.source
        return {
            "optimizer": written(descent.optimizer),
            "skip_nonfinite": descent.skip_nonfinite,
            "source": type(source).__name__,
            "batch_size": getattr(source, "batch_size", None),
            "data": data,
            "surroundings": self.surroundings,
        }


def begun(descent: ModuleDescent, seed: int) -> ModuleRun:
    """The run before its first step, from the module as it is."""
    bench, key, zero = descent.bench, random_key(seed), np.int32(0)
    return ModuleRun(State(
        params=bench.numbers(),
        optimizer=bench.memory(descent.optimizer),
        cursor=descent.source.init(key),
        step=zero,
        guard=Guard(np.int32(RUNNING), np.float64(np.nan), zero),
        carried=AuxiliaryState(bench.kept(), random_numbers(bench, seed)),
    ), descent)


def frozen_digest(bench: Bench) -> Mapping[str, np.ndarray]:
    """The parameters that are not trained, which a run that goes on must find as they were."""
    return {name: as_numpy(p) for name, p in bench.module.named_parameters() if not p.requires_grad}
