"""The bench: a module and what steps it, where the steps of runs are made, of one run at a time."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from descend._tree import Tree
from descend.engine.descent import State
from descend.engine.loss import AuxiliaryState
from descend.errors import InputError
from descend.optimizers import Optimizer
from descend.torch._memory import copied, fresh, looks_at_loss, put, taken
from descend.torch._named import ByName
from descend.torch._optimizer import TorchOptimizer

# Optimizers that are kept made: a change that is replayed beside what there was takes turns with it.
MAX_KEPT = 8
# What `torch.compile` puts before the names of a module.
COMPILED = "_orig_mod."


class Bench:
    """A module, in which the numbers of one run at a time lie, while its steps are made.

    A run is a value. Its numbers are copied into the module unless they lie there already, and out of it after a
    dispatch. So a module keeps its identity, and with it what was compiled for it, and no run changes another.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.parameters = {path_of(name): p for name, p in module.named_parameters() if p.requires_grad}
        self.names: dict[Tensor, str] = {p: name for name, p in self.parameters.items()}
        self._made: list[tuple[Optimizer, TorchOptimizer, bool]] = []
        # The state whose numbers lie in the module, the rule that they lie there for, and the tensors' versions then.
        self._holds: tuple[State, Optimizer, list[int]] | None = None
        # Descents of one module take turns, whatever thread they are on.
        self.lock = threading.RLock()

    # ---------------------------------------------------------------------------------------------------- what is there

    @property
    def buffers(self) -> dict[str, Tensor]:
        """What the module keeps besides parameters, such as running means; a module may exchange these tensors."""
        return {path_of(name): buffer for name, buffer in self.module.named_buffers()}

    @property
    def devices(self) -> list[torch.device]:
        """The devices with random numbers of their own that the module lies on."""
        return sorted({p.device for p in self.module.parameters() if p.device.type == "cuda"}, key=str)

    @property
    def is_finite(self) -> bool:
        """Whether all parameters are finite numbers."""
        return all(bool(p.detach().isfinite().all()) for p in self.parameters.values())

    def optimizer(self, rule: Optimizer) -> tuple[TorchOptimizer, bool]:
        """What steps the module by a rule, and whether it looks at the loss."""
        for known, made, looks in self._made:
            if known is rule:
                return made, looks
        made = TorchOptimizer(list(self.parameters.items()), rule)
        looks = looks_at_loss(made, self.names)
        self._made = [(rule, made, looks), *self._made][:MAX_KEPT]
        return made, looks

    def numbers(self) -> ByName:
        """A copy of the parameters."""
        return copied(ByName((name, p) for name, p in self.parameters.items()))

    def memory(self, rule: Optimizer) -> Tree:
        """What a rule remembers before its first step from here."""
        return fresh(self.optimizer(rule)[0], self.names)

    def kept(self) -> ByName:
        """A copy of the buffers."""
        return copied(ByName(self.buffers))

    # ------------------------------------------------------------------------------------------------------ in and out

    @contextlib.contextmanager
    def at(self, state: State, rule: Optimizer) -> Iterator[TorchOptimizer]:
        """The module with the numbers of a run, and the random numbers of PyTorch as those of the run; both are as
        they were afterwards, but for the numbers in the module."""
        with self.lock, torch.random.fork_rng(self.devices, enabled=True):
            optimizer, _ = self.optimizer(rule)
            if not self._has(state, rule):
                self.put(state.params, state.carried.state)
                put(optimizer, self.names, state.optimizer)
            # Until the steps are made there is nobody's state in the module.
            self._holds = None
            for name, numbers in state.carried.key.items():
                torch.set_rng_state(numbers) if name == "cpu" else torch.cuda.set_rng_state(numbers, name)
            yield optimizer

    def state_after(self, state: State, rule: Optimizer, cursor: Any, steps: int) -> State:
        """The state of the run once steps were made: copies of all numbers, which then lie in the module, too."""
        numbers = {"cpu": torch.get_rng_state()}
        numbers |= {str(device): torch.cuda.get_rng_state(device) for device in self.devices}
        after = state._replace(
            params=self.numbers(),
            optimizer=taken(self.optimizer(rule)[0], self.names),
            cursor=cursor,
            step=np.int32(int(state.step) + steps),
            carried=AuxiliaryState(self.kept(), numbers),
        )
        self._holds = after, rule, self._versions()
        return after

    def put(self, params: ByName, buffers: ByName) -> None:
        """Copy parameters and buffers into the module."""
        self._holds = None
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(params[name])
            there = self.buffers
            for name, value in buffers.items():
                if name in there and there[name].shape == value.shape:
                    there[name].copy_(value)
                else:
                    self._exchange(name, value)

    @contextlib.contextmanager
    def evaluating(self, params: ByName, buffers: ByName) -> Iterator[nn.Module]:
        """The module with these numbers, as it is used after training; it is nobody's run then, and trains again."""
        with self.lock, torch.random.fork_rng(self.devices, enabled=True), self.modes():
            torch.manual_seed(0)
            self.put(params, buffers)
            self.module.eval()
            yield self.module

    @contextlib.contextmanager
    def modes(self) -> Iterator[None]:
        """A block after which each layer is in the mode, of training or of evaluation, in which it was before."""
        before = [(layer, layer.training) for layer in self.module.modules()]
        try:
            yield
        finally:
            for layer, training in before:
                layer.training = training

    def _has(self, state: State, rule: Optimizer) -> bool:
        """Whether the module has the numbers of a run; not where somebody has written to them since."""
        held = self._holds
        return held is not None and held[0] is state and held[1] is rule and held[2] == self._versions()

    def _versions(self) -> list[int]:
        return [tensor._version for tensor in (*self.parameters.values(), *self.buffers.values())]

    def _exchange(self, name: str, value: Tensor) -> None:
        """Put another tensor into the place of a buffer, whose shape has changed."""
        path, _, last = name.rpartition("/")
        owner = getattr(self.module, "_orig_mod", self.module).get_submodule(path.replace("/", "."))
        setattr(owner, last, value.clone())


def bench_of(module: Any) -> Bench:
    """The bench of a module.

    **Raises** `InputError` for what is none, and for a module that has nothing to train.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"descend.torch.minimize trains a torch.nn.Module, but this is a {type(module).__name__}: a "
                         "loss and parameters of JAX's are for descend.minimize")
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise InputError("the module has lazy layers, whose parameters are not there yet: call it once on a batch")
    made = Bench(module)
    if not made.parameters:
        raise InputError("the module has no parameter that requires a gradient: there is nothing to train")
    for name, p in made.parameters.items():
        if not p.is_floating_point():
            raise InputError(f"parameter '{name}' has dtype {p.dtype}, which a gradient step does not move: descend on "
                             "its real and imaginary parts")
    return made


def path_of(name: str) -> str:
    """The path of a parameter, as patterns see it, the same for a module that was compiled."""
    return name.replace(COMPILED, "").replace(".", "/")
