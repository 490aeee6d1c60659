"""Language models: a GPT on the six novels of Jane Austen, beside nanoGPT's recipe written in PyTorch.

nanoGPT's settings for a CPU: characters, 4 layers of 4 heads, 128 wide, context 64, 12 windows a step, learned
positions, no dropout; AdamW whose rate rises for 100 steps to 10⁻³ and falls to 10⁻⁴ along a cosine of 2,000, β₂ .99,
weight decay .1 for matrices, gradients clipped to a norm of 1. PyTorch's optimizer is fused, its attention the fused
one, and the network eager or compiled, whichever is faster at the beginning. Both start with the same weights and train
in turns of some seconds, until each has had its time; compiling is not counted. The last tenth of the text is held out,
and judged by the same windows. The products of matrices that a step has, at the same sizes and by the same library, are
the limit that its time is compared with.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import descend
from benchmarks._austen import austen
from benchmarks._rows import PAUSE, Row, alternately
from benchmarks._torch_gpt import Model
from descend.engine.run import advance
from descend.neural._gpt import GPT, Shape
from descend.neural._next_token import DECAYED, NextToken, mean_loss
from descend.neural._tokens import Characters
from descend.neural.corpus import Windows
from descend.neural.gathering import Corpus, streams
from descend.optimizers.modifiers import ClipByNorm, WeightDecay
from descend.schedules import Cosine

PACKAGES = ("descend", "jax", "torch", "numpy")
BATCH, CONTEXT, LAYERS, HEADS, WIDTH = 12, 64, 4, 4, 128
STEPS, WARMUP_SHARE, RATE, MIN_SIDE = 2000, 100, 1e-3, 1e-4
SECONDS, TURN, AT_ONCE = 60.0, 5.0, 10  # of training for each; of a turn; steps between two looks at the clock
VALIDATION_TOKENS = 2**16  # tokens


def rows() -> Iterator[Row]:
    """Both, in turns, for the same time."""
    text = austen().encode()
    tokenizer = Characters.of([text])
    learnt, held_out = streams(Corpus(text), tokenizer, 0.1, CONTEXT)
    assert isinstance(learnt, np.ndarray)
    assert isinstance(held_out, np.ndarray)
    start = GPT.drawn(Shape(tokenizer.size, CONTEXT, LAYERS, HEADS, WIDTH, "learned"), np.random.default_rng(0))
    learners: list[Any] = [Ours(start, learnt), Theirs(start, learnt)]
    spent = [0.0, 0.0]
    while min(spent) < SECONDS:
        for number, learner in enumerate(learners):
            time.sleep(PAUSE)  # the other's threads spin a while for more work
            spent[number] += _turn(learner)
    workload, peer = f"GPT on Austen, {BATCH} × {CONTEXT} characters", learners[1].name
    rates = [learner.made / seconds for learner, seconds in zip(learners, spent, strict=True)]
    losses = [mean_loss(learner.network(), held_out, VALIDATION_TOKENS) for learner in learners]
    limits = alternately([_ours_products, _theirs_products], 9, PAUSE)
    yield Row(workload, peer, "speed", "tokens/s", *(BATCH * CONTEXT * rate for rate in rates))
    yield Row(workload, peer, f"validation after {SECONDS:g} s", "loss", *losses)
    yield Row(workload, peer, "step", "ms", *(1e3 / rate for rate in rates))
    yield Row(workload, peer, "its products of matrices alone", "ms", *(1e3 * seconds for seconds in limits))


def _turn(learner: Any) -> float:
    begin = time.perf_counter()
    while (took := time.perf_counter() - begin) < TURN:
        learner.train(AT_ONCE)
    return took


class Ours:
    """`minimize`'s own run, advanced."""

    def __init__(self, start: GPT, tokens: np.ndarray):
        adam = descend.Adam(Cosine(RATE, STEPS, MIN_SIDE, WARMUP_SHARE), beta2=0.99)
        rule = ClipByNorm(WeightDecay(adam, 0.1, where=DECAYED), 1.0)
        source = Windows(tokens, CONTEXT, BATCH)
        self._run = descend.minimize(NextToken(), start, source, optimizer=rule, steps=1, stop=[]).run
        self.made = 0

    def train(self, steps: int) -> None:
        """Make some steps."""
        self._run, _ = advance(self._run, steps)
        self.made += steps

    def network(self) -> GPT:
        """The network as it is now."""
        return self._run.eval_params


class Theirs:
    """nanoGPT's loop."""

    def __init__(self, start: GPT, tokens: np.ndarray, steps: int = STEPS):
        self._start, self._tokens, self.made = start, torch.tensor(tokens.astype(np.int64)), 0
        self._steps = steps
        self._model = Model(start)
        matrices = [p for p in self._model.parameters() if p.dim() > 1]
        others = [p for p in self._model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self._rule = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99), fused=True)
        self._generator = torch.Generator().manual_seed(0)
        compiled = torch.compile(self._loss)
        batch = self._batch()
        eager, inductor = alternately([lambda: self._loss(*batch).backward(), lambda: compiled(*batch).backward()], 15,
                                      PAUSE)
        self.name = "PyTorch, compiled" if inductor < eager else "PyTorch, eager"
        self._fastest: Any = compiled if inductor < eager else self._loss

    def train(self, steps: int) -> None:
        """Make some steps."""
        for _ in range(steps):
            for group in self._rule.param_groups:
                group["lr"] = _rate(self.made, self._steps)
            self._rule.zero_grad(set_to_none=True)
            self._fastest(*self._batch()).backward()
            nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
            self._rule.step()
            self.made += 1

    def network(self) -> GPT:
        """The network as it is now, as one of ours, to be judged alike."""
        weights = iter([jnp.asarray(p.detach().numpy()) for p in self._model.flat])
        return jax.tree.map(lambda x: next(weights) if eqx.is_array(x) else x, self._start)

    def _loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self._model(inputs).flatten(0, 1), targets.flatten())

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        starts = torch.randint(len(self._tokens) - CONTEXT, (BATCH, 1), generator=self._generator)
        window = self._tokens[starts + torch.arange(CONTEXT + 1)]
        return window[:, :-1], window[:, 1:]


def _rate(step: int, steps: int) -> float:
    if step < WARMUP_SHARE:
        return RATE * (step + 1) / WARMUP_SHARE
    part = min((step - WARMUP_SHARE) / (steps - WARMUP_SHARE), 1.0)
    return MIN_SIDE + (RATE - MIN_SIDE) * (1 + float(np.cos(np.pi * part))) / 2


SIZES = [(3 * WIDTH, WIDTH), (WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)]  # of each layer's matrices


def _all_products(matrices: Any, inputs: Any, outputs: Any) -> list[Any]:
    """Forwards, and both of backwards, once for each layer, of which each has arrays of its own."""
    return [product for w, x, g in zip(matrices, inputs, outputs, strict=True) for product in (w @ x, w.T @ g, g @ x.T)]


def _operands() -> tuple[list[np.ndarray], ...]:
    rng = np.random.default_rng(0)
    normal = lambda *shape: np.asarray(rng.standard_normal(shape), np.float32)
    sizes = SIZES * LAYERS
    return [normal(*size) for size in sizes], [normal(n, BATCH * CONTEXT) for _, n in sizes], [
        normal(m, BATCH * CONTEXT) for m, _ in sizes
    ]


_compiled_products = jax.jit(_all_products)
_for_jax, _for_torch = (
    jax.tree.map(jnp.asarray, _operands()), jax.tree.map(torch.from_numpy, _operands())
)
_ours_products: Callable[[], Any] = lambda: jax.block_until_ready(_compiled_products(*_for_jax))
_theirs_products: Callable[[], Any] = lambda: _all_products(*_for_torch)
