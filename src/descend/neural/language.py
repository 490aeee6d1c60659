"""Language models: what comes next in a text."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import jax
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from descend._facts import Facts, refuse, refuse_nonfinite, refuse_other_size
from descend._files import write_atomically
from descend._saved import file_of
from descend._tree import join, split
from descend.engine.storing import read_arrays, tree_from_arrays, tree_to_arrays, write_arrays
from descend.engine.trainer import Checkpoint
from descend.errors import CheckpointError, InputError, reading
from descend.minimize import minimize
from descend.neural._gpt import GPT, Positions, Shape
from descend.neural._half_precision import check_precision, is_half
from descend.neural._next_token import (
    VALIDATION_TOKENS,
    NextToken,
    RandomNextToken,
    default_optimizer,
    mean_loss,
    planned_steps,
)
from descend.neural._sampling import generate
from descend.neural._seed import seed_of
from descend.neural._tokens import Tokenizer, from_facts, tokenizer_for
from descend.neural.corpus import Text, Windows, read_text, split_tokens
from descend.observers import Observer, Progress
from descend.stopping import Plateau
from descend.training import Trainer

KIND, MODEL_VERSION = "language model", 1
# Keys, values, and which token looks at which: a file that asks for more is refused before any memory is.
MAX_CACHE_NUMBERS = 2**27
# Where nobody gives a budget.
STEPS_WITHOUT_BUDGET = 5000
# A step of validation costs a third of one of training: this many times fewer tokens are judged.
VALIDATION_SHARE = 20


@dataclass(frozen=True)
class Size:
    """The settings that go with a name."""

    layers: int
    heads: int
    width: int
    context: int
    batch_size: int
    learning_rate: float


SIZES = {
    "tiny": Size(2, 2, 64, 32, 16, 3e-3),
    "small": Size(4, 4, 128, 64, 12, 2e-3),
    "medium": Size(6, 6, 384, 256, 32, 1e-3),
    "large": Size(12, 12, 768, 512, 32, 6e-4),
}


def _shape_in(facts: dict[str, Any], arrays: dict[str, np.ndarray], where: str) -> Shape:
    """The shape that a file tells of, if its weights are such.

    **Raises** `CheckpointError` before anything of that size is made.
    """
    told = Facts(facts, where).inner("shape")
    context, layers, heads, width = (told.whole(name, 1) for name in ("context", "layers", "heads", "width"))
    positions = told.choice("positions", get_args(Positions))
    shape = Shape(told.whole("vocabulary", 1), context, layers, heads, width, positions, told.number("dropout", 0, 1))
    if width % (2 * heads if positions == "rotary" else heads):
        told.refuse("width", f"even for each of {heads} heads", width)
    refuse_other_size(arrays, "network", shape.size, where)
    if context * (2 * layers * width + context) > MAX_CACHE_NUMBERS:
        told.refuse("context", "such that what is seen of it is less than a gigabyte", context)
    refuse_nonfinite(arrays, where)
    return shape


@dataclass(frozen=True)
class Sample:
    """What a model wrote after some steps, and its validation loss then."""

    step: int
    loss: float
    text: str


class LanguageModel(BaseEstimator):
    """A GPT that learns from a text what comes next, token by token.

    `size`: "tiny", "small", "medium" or "large"; `layers`, `heads`, `width` (of a token's features), `context` (how
    many tokens it looks back on) and `batch_size` (windows of that length a step) are the size's own unless given.
    `tokenizer`: "bytes" (any file), "characters", or "bpe" with a `vocabulary` of so many common sequences of bytes.
    `positions`: "rotary", or "learned" as in GPT-2. `dropout`: the share of features left out at random in training.
    `epochs`, `steps`, `seconds`: the budget, the first to be spent; 5,000 steps where none is given. With `seconds`
    alone, some steps are timed first, so that the learning rate comes down in time. `validation_fraction`: the end of
    the text that is held out; `patience`: validations without improvement after which to stop. `samples`: how many
    tokens to write after each validation. The other settings are those of all estimators, see `descend.neural`.

    | attribute | meaning |
    | --- | --- |
    | `network_`, `tokenizer_` | what was trained, and how text becomes tokens |
    | `stop_reason_`, `history_`, `loss_curve_` | why it ended, and how it went |
    | `validation_loss_` | of each validation, in nats per token |
    | `samples_` | what it wrote after each, a `Sample` with `step`, `loss` and `text` |
    | `n_parameters_`, `n_tokens_` | of the network, and of the text |

    >>> model = LanguageModel("tiny", context=8, steps=150, validation_fraction=0, random_state=0).fit("ab cd " * 40)
    >>> model.generate("ab", 10, temperature=0)
    ' cd ab cd '
    >>> bool(model.perplexity("ab cd ab cd") < 1.5)
    True

    **Raises** `InputError` for settings that mean nothing, for a text that is too short or that the tokenizer cannot
    read.

    Reference: Radford et al., "Language models are unsupervised multitask learners", 2019.
    """

    def __init__(
        self,
        size: str = "small",
        *,
        tokenizer: str = "bytes",
        vocabulary: int = 2048,
        layers: int | None = None,
        heads: int | None = None,
        width: int | None = None,
        context: int | None = None,
        positions: str = "rotary",
        dropout: float = 0.0,
        optimizer: Any = "auto",
        batch_size: int | str = "auto",
        epochs: float | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        validation_fraction: float = 0.1,
        patience: int = 10,
        ema: float | None = None,
        precision: str = "auto",
        samples: int = 0,
        random_state: int | np.random.RandomState | None = None,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
    ):
        self.size = size
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.layers = layers
        self.heads = heads
        self.width = width
        self.context = context
        self.positions = positions
        self.dropout = dropout
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps = steps
        self.seconds = seconds
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.ema = ema
        self.precision = precision
        self.samples = samples
        self.random_state = random_state
        self.observers = observers
        self.checkpoint = checkpoint

    def fit(self, text: Text, y: Any = None) -> "LanguageModel":
        """Learn from a text: a string, bytes, or the path of a file."""
        begin = time.perf_counter()
        self._train(self._task_of(text), begin)
        return self

    def begun(self, text: Text, resume: bool = False) -> tuple[Trainer, Callable[[GPT], float]]:
        """The training that `fit` makes before its first step, or with `resume` where its checkpoint stands; and what
        judges it: the loss on the end of the text, which is held out.

        **Raises** `InputError` where the text is too short for anything to be held out.
        """
        begin, task = time.perf_counter(), self._task_of(text)
        if (held_out := task.held_out) is None:
            raise InputError("nothing of the text is held out, so that no descent on it could be judged: give a longer "
                             "text, or a shorter context")
        trainer = self._training(task, begin, self.checkpoint if resume else None)
        return trainer, lambda network: mean_loss(network, held_out, VALIDATION_TOKENS)

    def _task_of(self, text: Text) -> "_Task":
        """What is descended on."""
        size, raw = self._checked(), read_text(text)
        self.tokenizer_: Tokenizer = tokenizer_for(self.tokenizer, raw, self.vocabulary)
        tokens = self.tokenizer_.encode(raw)
        self.n_tokens_ = len(tokens)
        learnt, held_out = split_tokens(tokens, self.validation_fraction, size.context)
        seed = seed_of(self.random_state, self.checkpoint)
        shape = Shape(self.tokenizer_.size, size.context, size.layers, size.heads, size.width, self.positions,  # type: ignore[arg-type]  # checked
                      self.dropout)
        network = GPT.drawn(shape, np.random.default_rng(seed))
        loss = (RandomNextToken if network.is_random else NextToken)(is_half(self.precision))
        return _Task(size, loss, network, Windows(learnt, size.context, size.batch_size), held_out, self.ema, seed)

    def tokens_per_step(self) -> tuple[int, int]:
        """How many windows a step sees, and how many tokens each has."""
        size = self._checked()
        return size.batch_size, size.context

    def perplexity(self, text: Text) -> float:
        """How many tokens, all alike, would be as hard to tell the next one from: `exp` of the mean loss.

        Each token is judged from half a context before it or more, where the text has that.
        """
        check_is_fitted(self)
        return math.exp(mean_loss(self.network_, self._two_or_more(text)))

    def bits_per_byte(self, text: Text) -> float:
        """The bits that a byte of the text would take if the model's probabilities were used to compress it; it
        compares models with different tokenizers."""
        check_is_fitted(self)
        tokens = self._two_or_more(text)
        # The first token is given, and not predicted: neither are its bytes.
        first = len(self.tokenizer_.decode(tokens[:1]).encode())
        length = len(read_text(text)) - first
        return mean_loss(self.network_, tokens) * (len(tokens) - 1) / max(length, 1) / math.log(2)

    def generate(
        self, prompt: str = "\n", length: int = 200, temperature: float = 1.0, top_k: int | None = None, seed: int = 0
    ) -> str:
        """The text of `length` tokens that follow a prompt.

        `temperature`: below 1, the likely is still likelier; at 0 nothing else is written. `top_k`: so many of the
        best tokens are drawn from. The same `seed` writes the same.

        **Raises** `InputError` for settings that mean nothing, and for a prompt with characters that are not in the
        vocabulary.
        """
        check_is_fitted(self)
        for name, value, least in (("length", length, 1), ("top_k", top_k, 1), ("temperature", temperature, 0)):
            if value is not None and not (value >= least and math.isfinite(value)):
                raise InputError(f"{name} must be at least {least}, but is {value}")
        if not prompt:
            raise InputError("the prompt is empty: give it a character to go on from, such as a new line")
        given = self.tokenizer_.encode(prompt.encode(errors="surrogateescape"))
        written = generate(self.network_, given, length, jax.random.key(seed), temperature, top_k)
        return self.tokenizer_.decode(written)

    def save(self, path: str | Path) -> None:
        """Write the model to a folder, or to a file whose name ends with `.safetensors`: weights, shape and tokenizer,
        as numbers and JSON."""
        check_is_fitted(self)
        facts = {"kind": KIND, "version": MODEL_VERSION, "shape": asdict(self.network_.shape),
                 "tokenizer": self.tokenizer_.facts()}
        write_arrays(file_of(path), tree_to_arrays(split(self.network_)[0], "network"), facts)

    @classmethod
    def load(cls, path: str | Path) -> "LanguageModel":
        """The model of a folder, or a file, that `save` or `descend lm` wrote.

        **Raises** `InputError` if there is none, `CheckpointError` if it is damaged.
        """
        folder, file = path, file_of(path)
        if not file.parent.is_dir():
            raise InputError(f"there is no folder {folder}: give the folder that `descend lm` wrote")
        if not file.exists():
            raise InputError(f"{folder} has no language model: give a folder that `descend lm` wrote, whose training "
                             "ended")
        arrays, facts = read_arrays(file)
        if facts.get("kind") != KIND:
            raise InputError(f"{folder} has a model, but no language model: give a folder that `descend lm` wrote")
        if facts.get("version") != MODEL_VERSION:
            raise CheckpointError(f"{file} was written by another version of descend: train again with `descend lm`")
        shape, tokenizer = _shape_in(facts, arrays, str(file)), from_facts(facts.get("tokenizer"), str(file))
        if tokenizer.size > shape.vocabulary:
            refuse(str(file), "the tokenizer", f"one of {shape.vocabulary:,} tokens at the most", tokenizer.size)
        numbers, rest = split(GPT.drawn(shape, None))
        model = cls(tokenizer=tokenizer.name, vocabulary=shape.vocabulary, layers=shape.layers, heads=shape.heads,
                    width=shape.width, context=shape.context, positions=shape.positions, dropout=shape.dropout)
        model.tokenizer_ = tokenizer
        model.network_ = join(tree_from_arrays(numbers, arrays, "network"), rest)
        return model

    def _training(self, task: "_Task", begin: float, checkpoint: Any) -> Trainer:
        """The training, from its checkpoint on, if there is one."""
        size, held_out = task.size, task.held_out
        watch = _ValidationSamples(self, task.source.data[:0] if held_out is None else held_out)
        # 1. How many steps, as the rate comes down over all of them.
        steps = self._steps(task, begin)
        self.samples_, planned = watch.samples, time.perf_counter() - begin
        # 2. How often to validate, so that it costs a twentieth of the training.
        per_validation = watch.tokens / (size.batch_size * size.context) / 3
        trainer = Trainer.begin(
            **task.settings | {"stop": [] if held_out is None else Plateau(self.patience)},
            optimizer=self._rule(size, steps),
            steps=steps,
            seconds=self.seconds,
            validation=None if held_out is None else watch.judge,
            validate_every=max(50, math.ceil(VALIDATION_SHARE * per_validation)),
            observers=[watch, *self.observers, _PlanWriter(self._plan, steps)],
            checkpoint=checkpoint,
            resume=checkpoint is not None,
        )
        trainer.seconds += planned
        return trainer

    def _train(self, task: "_Task", begin: float) -> None:
        result = self._training(task, begin, self.checkpoint).to_the_end()
        self.network_ = result.params
        self.history_, self.stop_reason_, self.training_seconds_ = result.history, result.reason, result.seconds
        self.loss_curve_ = result.history.columns["loss"].tolist()
        self.validation_loss_ = list(result.history.validation.get("loss", []))
        self.n_parameters_ = sum(x.size for x in jax.tree.leaves(split(task.network)[0]))

    def _rule(self, size: Size, steps: int) -> Any:
        if isinstance(self.optimizer, str) and self.optimizer == "auto":
            return default_optimizer(size.learning_rate, steps, self.positions == "learned")
        return self.optimizer

    def _steps(self, task: "_Task", begin: float) -> int:
        """The budget in steps, if need be found by timing some, for the time that is left of that since `begin`."""
        for name in ("epochs", "steps", "seconds"):
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be a number above 0, but is {value}")
        limits = [self.steps] if self.steps is not None else []
        limits += [math.ceil(round(self.epochs * task.source.steps_per_epoch, 6))] if self.epochs is not None else []
        seconds = self.seconds
        if limits or seconds is None:
            return min(limits, default=STEPS_WITHOUT_BUDGET)
        plan = self._plan
        if plan and plan.exists():
            with reading(f"{plan} is damaged, begin anew with another folder", CheckpointError):
                return Facts(json.loads(plan.read_bytes()), str(plan)).whole("steps", 1)
        # Timed on the very descent that is to be made: the rate's length is a leaf, so that the program is the same
        # one.
        run = minimize(**task.settings, optimizer=self._rule(task.size, STEPS_WITHOUT_BUDGET), steps=1).run
        return planned_steps(run, lambda: begin + seconds - time.perf_counter())

    @property
    def _plan(self) -> Path | None:
        """The file beside the checkpoint that has the number of steps, which a training that goes on must know."""
        saved: Any = getattr(self.checkpoint, "path", self.checkpoint)
        return None if saved is None else Path(saved).with_suffix(".plan.json")

    def _checked(self) -> Size:
        """The size, with what was given instead.

        **Raises** `InputError` for settings that mean nothing.
        """
        if self.size not in SIZES:
            raise InputError(f"size must be one of {', '.join(SIZES)}, but is {self.size!r}")
        given = {name: value for name in ("layers", "heads", "width", "context")
                 if (value := getattr(self, name)) is not None}
        given |= {} if self.batch_size == "auto" else {"batch_size": self.batch_size}
        size = dataclasses.replace(SIZES[self.size], **given)
        for name, least in (("layers", 1), ("heads", 1), ("width", 1), ("context", 2), ("batch_size", 1)):
            if getattr(size, name) < least:
                raise InputError(f"{name} must be at least {least}, but is {getattr(size, name)}")
        if self.positions not in ("rotary", "learned"):
            raise InputError(f"positions must be rotary or learned, but is {self.positions!r}")
        unit = size.heads * (2 if self.positions == "rotary" else 1)
        if size.width % unit:
            raise InputError(f"width must be a multiple of {unit} for {size.heads} heads, but is {size.width}")
        for name in ("dropout", "validation_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 0 and less than 1, but is {getattr(self, name)}")
        if self.patience < 1:
            raise InputError(f"patience must be at least 1, but is {self.patience}")
        check_precision(self.precision)
        return size

    def _two_or_more(self, text: Text) -> np.ndarray:
        tokens = self.tokenizer_.encode(read_text(text))
        if len(tokens) < 2:
            raise InputError("the text is a single token: there is nothing to predict from another")
        return tokens


@dataclass(frozen=True)
class _Task:
    """What is descended on, and what is held out of it."""

    size: Size
    loss: NextToken
    network: GPT
    source: Windows
    held_out: np.ndarray | None
    ema: float | None
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """Those of `minimize` that are known before it is known how long to descend."""
        return {"loss": self.loss, "params": self.network, "data": self.source, "ema": self.ema, "stop": [],
                "seed": self.seed}


class _ValidationSamples:
    """Judges a network on what was held out, has it write something, and remembers after which step that was."""

    def __init__(self, model: LanguageModel, held_out: np.ndarray):
        self.samples: list[Sample] = []
        self.tokens = min(len(held_out) * 2, VALIDATION_TOKENS)
        self._model, self._held_out = model, held_out
        self._pending: str | None = None

    def judge(self, network: GPT) -> float:
        """The loss on what was held out."""
        if self._model.samples:
            written = generate(network, self._held_out[:1], self._model.samples, jax.random.key(0))
            self._pending = self._model.tokenizer_.decode(written)
        return mean_loss(network, self._held_out, VALIDATION_TOKENS)

    def __call__(self, progress: Progress) -> None:
        """Note the step that a validation belongs to: the next report is made after it."""
        if self._pending is not None:
            self.samples.append(Sample(progress.step, progress.validation["loss"], self._pending))
            self._pending = None


class _PlanWriter:
    """Writes down how many steps are to be made, once the other observers are there: they may still refuse it."""

    def __init__(self, plan: Path | None, steps: int):
        self._plan, self._steps = plan, steps

    def __enter__(self) -> "_PlanWriter":
        if self._plan:
            try:
                write_atomically(self._plan, json.dumps({"steps": self._steps}).encode())
            except OSError as error:
                raise InputError(f"{self._plan} cannot be written ({error.strerror}): make room, or name another place"
                                 ) from None
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing is left open."""

    def __call__(self, progress: Progress) -> None:
        """Nothing to do."""
