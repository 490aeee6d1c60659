"""Bits per byte of the tenth of a megabyte of Jane Austen that was not learnt from.

Ours is what `descend lm --tokenizer bpe` trains, in five minutes of two cores. Beside it are an interpolated, modified
Kneser-Ney model of six bytes (`_kneser_ney`), which takes a second, and nanoGPT's recipe in PyTorch (see `language`),
by characters, for the same time. Time is that of the processor, 600 seconds of it, as the machine may have other work:
what a step costs is measured, and the learning rate comes down over as many as fit. PyTorch has one thread, as two
would count what they wait for each other. Each byte is counted once, and the
first token as if all were alike.
"""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from benchmarks import language
from benchmarks._austen import austen
from benchmarks._kneser_ney import bits_per_byte
from benchmarks._rows import Row
from descend.neural import LanguageModel
from descend.neural._gpt import GPT, Shape
from descend.neural._next_token import mean_loss
from descend.neural._tokens import Characters
from descend.neural.gathering import Corpus

PACKAGES = ("descend", "jax", "torch", "tokenizers", "numpy")
BYTES, HELD_OUT, ORDER = 1_000_000, 0.1, 6
CPU_SECONDS = 600.0
# Of which so many steps are timed, after so many that are not.
TIMED, UNTIMED = 40, 10


def rows() -> Iterator[Row]:
    """Both peers."""
    text = austen().encode()[:BYTES]
    learnt, held_out = Corpus(text).split(HELD_OUT)
    assert isinstance(learnt, bytes)
    assert isinstance(held_out, bytes)
    ours = _ours(learnt).bits_per_byte(held_out)
    workload = f"{BYTES // 1000:,} kB of Austen"
    yield Row(workload, f"Kneser-Ney, {ORDER} bytes", "held out", "bits per byte", ours,
              bits_per_byte(learnt, held_out, ORDER))
    steps, theirs = _theirs(learnt, held_out)
    yield Row(workload, f"nanoGPT's recipe, in PyTorch, {steps:,} steps", "held out", "bits per byte", ours, theirs)


def _ours(learnt: bytes) -> LanguageModel:
    def train(steps: int) -> LanguageModel:
        return LanguageModel(tokenizer="bpe", validation_fraction=0, steps=steps, random_state=0).fit(learnt)

    train(UNTIMED)  # what is compiled is kept
    few, more = (_cpu_seconds(partial(train, steps)) for steps in (UNTIMED, UNTIMED + TIMED))
    return train(round(CPU_SECONDS / ((more - few) / TIMED)))


def _theirs(learnt: bytes, held_out: bytes) -> tuple[int, float]:
    # Two would wait for each other, which counts as work.
    torch.set_num_threads(1)
    tokenizer = Characters.of([learnt, held_out])
    shape = Shape(tokenizer.size, language.CONTEXT, language.LAYERS, language.HEADS, language.WIDTH, "learned")
    start = GPT.drawn(shape, np.random.default_rng(0))
    timed = language.Theirs(start, tokenizer.encode(learnt), 2000)
    timed.train(UNTIMED)
    steps = round(CPU_SECONDS / (_cpu_seconds(lambda: timed.train(TIMED)) / TIMED))
    learner = language.Theirs(start, tokenizer.encode(learnt), steps)
    learner.train(steps)
    tokens = tokenizer.encode(held_out)
    nats = mean_loss(learner.network(), tokens) * (len(tokens) - 1) + math.log(tokenizer.size)
    return steps, nats / math.log(2) / len(held_out)


def _cpu_seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin
