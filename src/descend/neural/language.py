"""Language models: what comes next in a text."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from descend._jax_file import write_jax
from descend._tree import split
from descend.engine.trainer import Checkpoint
from descend.errors import InputError
from descend.neural._gpt import GPT, Shape
from descend.neural._half_precision import check_precision, is_half
from descend.neural._huggingface import write_huggingface
from descend.neural._language_files import Stored
from descend.neural._language_watching import Sample, ValidationSamples
from descend.neural._next_token import (
    VALIDATION_TOKENS,
    NextToken,
    RandomNextToken,
    default_optimizer,
    mean_loss,
)
from descend.neural._sampling import Choice, generate
from descend.neural._seed import seed_of
from descend.neural._sizes import Size, size_named, size_of_trained
from descend.neural._tokens import Bytes, Tokenizer, tokenizer_for
from descend.neural.corpus import FiledWindows, Text, Windows, read_text, windows_of
from descend.neural.filed_tokens import Tokens
from descend.neural.gathering import Corpus, Texts, read_corpus, streams
from descend.observers import Observer
from descend.stopping import Plateau
from descend.training import Trainer

__all__ = ["DEFAULT_SIZE", "DEFAULT_TOKENIZER", "LanguageModel", "Sample"]

# Where nobody gives a budget.
STEPS_WITHOUT_BUDGET = 5000
# A step of validation costs a third of one of training: this many times fewer tokens are judged.
VALIDATION_SHARE = 20
# Where nobody says, and where nothing is started from.
DEFAULT_SIZE, DEFAULT_TOKENIZER, DEFAULT_VOCABULARY = "small", Bytes.name, 2048


class LanguageModel(BaseEstimator):
    """A GPT that learns from texts what comes next, token by token.

    `size`: "tiny", "small" (where nobody says), "medium" or "large"; `layers`, `heads`, `width` (of a token's
    features), `context` (how many tokens it looks back on) and `batch_size` (windows of that length a step) are the
    size's own unless given. `tokenizer`: "bytes" (any file; where nobody says), "characters", or "bpe" with a
    `vocabulary` of so many common sequences of bytes, 2,048 unless given. `positions`: "rotary" unless "learned", as in
    GPT-2.
    `start`: a folder that `descend lm` or `save` wrote, whose tokens, shape and weights are gone on with, at a lower
    learning rate: fine-tuning. `dropout`: the share of features left out at random in training.
    `epochs`, `steps`, `seconds`: the budget, the first to be spent; 5,000 steps where none is given. Where the seconds
    end it, some steps are timed first, so that the learning rate comes down in time. `validation_fraction`: the share
    that is held out: of several texts whole ones, as far as some have about that share, else the end of one.
    `patience`: validations without improvement after which to stop. `samples`: how many tokens to write after each
    validation. The other settings are those of all estimators, see `descend.neural`.

    | attribute | meaning |
    | --- | --- |
    | `network_`, `tokenizer_` | what was trained, and how text becomes tokens |
    | `stop_reason_`, `history_`, `loss_curve_` | why it ended, and how it went |
    | `validation_loss_` | of each validation, in nats per token |
    | `validation_tokens_per_byte_` | of what is held out: what turns that into bits per byte; 0 if nothing is |
    | `samples_` | what it wrote after each, a `Sample` with `step`, `loss` and `text` |
    | `n_parameters_`, `n_tokens_` | of the network, and of the text |
    | `left_out_` | which files of folders were not read, and why |

    >>> model = LanguageModel("tiny", context=8, steps=150, validation_fraction=0, random_state=0).fit("ab cd " * 40)
    >>> model.generate("ab", 10, temperature=0)
    ' cd ab cd '
    >>> model.generate("ab", 10, temperature=0, stop="ab")
    ' cd '
    >>> bool(model.perplexity("ab cd ab cd") < 1.5)
    True

    **Raises** `InputError` for settings that mean nothing or contradict those of `start`, and for a text that is too
    short or that the tokenizer cannot read.

    Reference: Radford et al., "Language models are unsupervised multitask learners", 2019.
    """

    def __init__(
        self,
        size: str | None = None,
        *,
        tokenizer: str | None = None,
        vocabulary: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        width: int | None = None,
        context: int | None = None,
        positions: str | None = None,
        start: str | Path | None = None,
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
        self.start = start
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

    def fit(self, texts: Texts | Corpus, y: Any = None) -> "LanguageModel":
        """Learn from a text, which is a string, bytes, or the `Path` of a file or of a folder; or from a list of such.

        Of a folder, and of those in it, all files are read that are text in Unicode, and not hidden. What comes twice
        is taken once, or it could be learnt by heart and judged by.
        """
        begin = time.perf_counter()
        self._train(self._task_of(texts), begin)
        return self

    def begun(self, texts: Texts | Corpus, resume: bool = False) -> tuple[Trainer, Callable[[GPT], float]]:
        """The training that `fit` makes before its first step, or with `resume` where its checkpoint stands; and what
        judges it: the loss on what is held out.

        **Raises** `InputError` where the text is too short for anything to be held out.
        """
        begin, task = time.perf_counter(), self._task_of(texts)
        if (held_out := task.held_out) is None:
            raise InputError("nothing of the text is held out, so that no descent on it could be judged: give a longer "
                             "text, or a shorter context")
        trainer = self._training(task, begin, self.checkpoint if resume else None)
        return trainer, lambda network: mean_loss(network, held_out, VALIDATION_TOKENS)

    def _task_of(self, texts: Texts | Corpus) -> "_Task":
        """What is descended on."""
        start = self._started()
        size, corpus = self._checked(start), read_corpus(texts)
        name = start.tokenizer.name if start else self.tokenizer or DEFAULT_TOKENIZER
        if name != Bytes.name:
            corpus.refuse_other_than_unicode()
        parts = corpus.split(self.validation_fraction)
        self.tokenizer_: Tokenizer = start.tokenizer if start else tokenizer_for(
            name, *parts, self.vocabulary or DEFAULT_VOCABULARY
        )
        learnt, held_out = streams(corpus, self.tokenizer_, self.validation_fraction, size.context)
        self.left_out_ = list(corpus.notes)
        judged = 0 if held_out is None else len(held_out)
        self.n_tokens_ = len(learnt) + judged
        self.validation_tokens_per_byte_ = judged / max(1, len(parts[1]))
        seed = seed_of(self.random_state, self.checkpoint)
        network = self._network(size, start, seed)
        # A checkpoint knows what it was begun with again, which takes a look at all of it.
        told = lambda: corpus.digest if self.checkpoint else ""
        source = windows_of(learnt, size.context, size.batch_size, told)
        loss = (RandomNextToken if network.is_random else NextToken)(is_half(self.precision))
        return _Task(size, loss, network, source, held_out, self.ema, seed)

    def _started(self) -> Stored | None:
        return None if self.start is None else Stored.read(self.start)

    def _network(self, size: Size, start: Stored | None, seed: int) -> GPT:
        """The network before its first step."""
        if start:
            shape = dataclasses.replace(start.network.shape, dropout=self.dropout)
            return dataclasses.replace(start.network, shape=shape)
        shape = Shape(self.tokenizer_.size, size.context, size.layers, size.heads, size.width,
                      self._positions, self.dropout)  # type: ignore[arg-type]  # checked
        return GPT.drawn(shape, np.random.default_rng(seed))

    def tokens_per_step(self) -> tuple[int, int]:
        """How many windows a step sees, and how many tokens each has."""
        size = self._checked(self._started())
        return size.batch_size, size.context

    def perplexity(self, text: Text) -> float:
        """How many tokens, all alike, would be as hard to tell the next one from: `exp` of the mean loss.

        Each token is judged from half a context before it or more, where the text has that.
        """
        check_is_fitted(self)
        return math.exp(mean_loss(self.network_, self._two_or_more(text)))

    def bits_per_byte(self, text: Text) -> float:
        """The bits that a byte of the text would take if the model's probabilities were used to compress it; it
        compares models with different tokenizers, and with all else that tells what comes next.

        Each byte is counted once. Tokens are judged as `perplexity` judges them; the first one, before which there is
        nothing, as if all tokens were alike. A file in UTF-16 or UTF-32 is counted in UTF-8.
        """
        check_is_fitted(self)
        raw = read_text(text)
        tokens = self.tokenizer_.encode(raw)
        nats = math.log(self.network_.shape.vocabulary)
        nats += mean_loss(self.network_, tokens) * (len(tokens) - 1) if len(tokens) > 1 else 0
        return nats / math.log(2) / len(raw)

    def generate(
        self, prompt: str = "\n", length: int = 200, temperature: float = 1.0, top_k: int | None = None,
        top_p: float | None = None, stop: str | None = None, seed: int = 0,
    ) -> str:
        """The text of `length` tokens that follow a prompt, or of fewer, up to where the text `stop` would come.

        `temperature`: below 1, the likely is still likelier; at 0 nothing else is written. `top_k`: so many of the
        best tokens are drawn from. `top_p`: of those, as few of the best as have this probability together (Holtzman
        et al., "The curious case of neural text degeneration", arXiv 1904.09751). The same `seed` writes the same.

        **Raises** `InputError` for settings that mean nothing, and for a prompt with characters that are not in the
        vocabulary.
        """
        check_is_fitted(self)
        for name, value, least in (("length", length, 1), ("top_k", top_k, 1), ("temperature", temperature, 0)):
            if value is not None and not (value >= least and math.isfinite(value)):
                raise InputError(f"{name} must be at least {least}, but is {value}")
        if top_p is not None and not 0 < top_p <= 1:
            raise InputError(f"top_p must be above 0 and at most 1, but is {top_p}")
        for name, words in (("prompt", prompt), ("stop text", stop)):
            if words == "":
                raise InputError(f"the {name} is empty: give it a character, such as a new line, or leave it out")
        given = self.tokenizer_.encode(prompt.encode(errors="surrogateescape"))
        decode, choice = self.tokenizer_.decode, Choice.of(temperature, top_k, top_p)
        if stop is None:
            return decode(generate(self.network_, given, length, jax.random.key(seed), choice))
        until = lambda tokens: stop in decode(tokens)
        return decode(generate(self.network_, given, length, jax.random.key(seed), choice, until)).partition(stop)[0]

    def save(self, path: str | Path) -> None:
        """Write the model to a folder, or to a file whose name ends with `.safetensors`: weights, shape and tokenizer,
        as numbers and JSON."""
        check_is_fitted(self)
        Stored(self.network_, self.tokenizer_).write(path)

    def to_huggingface(self, folder: str | Path) -> bool:
        """Write a new folder that `transformers` loads: `config.json`, `model.safetensors` and the tokenizer's files.

        With learnt positions it has the layout of GPT-2, with rotary ones that of GPT-NeoX, which are then the same
        network but for rounding. Whether that was seen: where `transformers` and PyTorch are installed, scores of drawn
        tokens must agree to 1e-5 of the largest one. There, a character that `characters` does not know is left out.

        **Raises** `InputError` for a folder that has something in it, where the scores do not agree, and where nothing
        can be written.
        """
        check_is_fitted(self)
        return write_huggingface(self.network_, self.tokenizer_, Path(folder))

    def to_jax(self, path: str | Path) -> None:
        """Write the network to a file whose name ends with `.jax`, which JAX runs without `descend`, on CPUs, GPUs and
        TPUs: `jax.export.deserialize(bytearray(Path("model.jax").read_bytes())).call(tokens)`.

        Of tokens `(texts, length)`, whole numbers in 32 bits, up to `context` of them, it gives the scores `(texts,
        length, vocabulary)` of what follows each; their softmax is the probability. The tokenizer is not in it. Before
        it is written, it is read back, and must agree to 1e-5 of the largest score on drawn tokens.

        **Raises** `InputError` where it does not agree, and where it cannot be written.
        """
        check_is_fitted(self)
        network, shape = self.network_, self.network_.shape
        tokens = np.random.default_rng(0).integers(0, shape.vocabulary, (2, shape.context), np.int32)
        scores = lambda given: network(given, None, None)[0]
        write_jax(scores, path, tokens, np.asarray(scores(jax.device_put(tokens))), "texts, length",
                  (f"length <= {shape.context}",))

    @classmethod
    def load(cls, path: str | Path) -> "LanguageModel":
        """The model of a folder, or a file, that `save` or `descend lm` wrote.

        **Raises** `InputError` if there is none, `CheckpointError` if it is damaged.
        """
        stored = Stored.read(path)
        shape = stored.network.shape
        model = cls(tokenizer=stored.tokenizer.name, vocabulary=shape.vocabulary, layers=shape.layers,
                    heads=shape.heads, width=shape.width, context=shape.context, positions=shape.positions,
                    dropout=shape.dropout)
        model.network_, model.tokenizer_ = stored.network, stored.tokenizer
        return model

    def _training(self, task: "_Task", begin: float, checkpoint: Any) -> Trainer:
        """The training, from its checkpoint on, if there is one."""
        size, held_out = task.size, task.held_out
        watch = ValidationSamples(np.zeros(0, np.uint8) if held_out is None else held_out, self.samples,
                                  self.tokenizer_.decode)
        self.samples_ = watch.samples
        # How often to validate, so that it costs a twentieth of the training.
        per_validation = watch.tokens / (size.batch_size * size.context) / 3
        prepared = time.perf_counter() - begin
        trainer = Trainer.begin(
            **task.settings,
            stop=[] if held_out is None else Plateau(self.patience),
            optimizer=self._rule(task),
            steps=self._steps(task),
            seconds=self.seconds,
            validation=None if held_out is None else watch.judge,
            validate_every=max(50, math.ceil(VALIDATION_SHARE * per_validation)),
            observers=[watch, *self.observers],
            checkpoint=checkpoint,
            resume=checkpoint is not None,
        )
        trainer.seconds += prepared
        return trainer

    def _train(self, task: "_Task", begin: float) -> None:
        result = self._training(task, begin, self.checkpoint).to_the_end()
        self.network_ = result.params
        self.history_, self.stop_reason_, self.training_seconds_ = result.history, result.reason, result.seconds
        self.loss_curve_ = result.history.columns["loss"].tolist()
        self.validation_loss_ = list(result.history.validation.get("loss", []))
        self.n_parameters_ = sum(x.size for x in jax.tree.leaves(split(task.network)[0]))

    def _rule(self, task: "_Task") -> Any:
        if isinstance(self.optimizer, str) and self.optimizer == "auto":
            return default_optimizer(task.size.learning_rate, task.network.shape.positions == "learned")
        return self.optimizer

    def _steps(self, task: "_Task") -> int | None:
        """The budget in steps, if there is one."""
        for name in ("epochs", "steps", "seconds"):
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be a number above 0, but is {value}")
        limits = [self.steps] if self.steps is not None else []
        limits += [math.ceil(round(self.epochs * task.source.steps_per_epoch, 6))] if self.epochs is not None else []
        return min(limits, default=STEPS_WITHOUT_BUDGET if self.seconds is None else None)

    @property
    def _positions(self) -> str:
        return self.positions or "rotary"

    def _checked(self, start: Stored | None) -> Size:
        """The size, with what was given instead, or what the training starts from.

        **Raises** `InputError` for settings that mean nothing, or contradict that.
        """
        for name in ("dropout", "validation_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 0 and less than 1, but is {getattr(self, name)}")
        if self.patience < 1:
            raise InputError(f"patience must be at least 1, but is {self.patience}")
        check_precision(self.precision)
        batch = None if isinstance(self.batch_size, str) else self.batch_size
        if start:
            self._refuse_contradictions(start)
            return size_of_trained(start.network.shape, batch)
        given = {"batch_size": batch} | {name: getattr(self, name) for name in ("layers", "heads", "width", "context")}
        given = {name: value for name, value in given.items() if value is not None}
        return size_named(self.size or DEFAULT_SIZE, self._positions, given)

    def _refuse_contradictions(self, start: Stored) -> None:
        shape = start.network.shape
        theirs: dict[str, Any] = {"tokenizer": start.tokenizer.name, "vocabulary": shape.vocabulary}
        theirs |= {name: getattr(shape, name) for name in ("layers", "heads", "width", "context", "positions")}
        size = None if self.size is None else size_named(self.size, shape.positions, {})
        mine = {name: value for name in theirs if (value := getattr(self, name)) is not None}
        named = {} if size is None else {name: getattr(size, name) for name in ("layers", "heads", "width")}
        for name, value in (named | mine).items():
            if value != theirs[name]:
                source = f" (size {self.size})" if name not in mine else ""
                raise InputError(f"{name} is to be {value}{source}, but is {theirs[name]} in {self.start}, whose "
                                 "tokens and shape are gone on with: leave it out, or do not start from there")

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
    source: Windows | FiledWindows
    held_out: Tokens | None
    ema: float | None
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """What `minimize` is given of it, whatever the budget."""
        return {"loss": self.loss, "params": self.network, "data": self.source, "ema": self.ema, "seed": self.seed}
