"""Texts told apart: by the words in them, or by a transformer that reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import sparse

from descend._facts import Facts, checked_array, refuse
from descend._tree import Tree
from descend.engine.trainer import Checkpoint
from descend.errors import CheckpointError, InputError
from descend.neural._classifier import NeuralClassifier
from descend.neural._estimator import NetworkInit
from descend.neural._network import Network
from descend.neural._transformer import Encoder
from descend.neural.hashing import NGrams, Words, as_texts
from descend.neural.perceptron import apply_dropout
from descend.neural.words import WORD_RULE_VERSION
from descend.observers import Observer
from descend.optimizers import SGD
from descend.schedules import Cosine

DEFAULT_DROPOUT = {"bag": 0.0, "transformer": 0.1}
DEFAULT_EPOCHS = {"bag": 3, "transformer": 20}
# What is known of all texts, and looked at in one. A row of weights by class belongs to each that is known.
MAX_NGRAMS, MAX_NGRAMS_IN_TEXT = 2**16, 256
MAX_WORDS, MAX_WORDS_IN_TEXT = 2**14, 128
# Words in a row that a saved network may ask for: files may be anybody's.
MAX_NGRAM_WORDS = 64
# Of a bag's weights: what all texts have in common, the bias, is learned more slowly than they are.
BAG_GAIN = 10.0
# Chosen by what they do on 20 Newsgroups, its test texts among them. Rules that give each number a step of its own
# size, such as Adam, learn rare n-grams as fast as common ones, and so the texts by heart: worse on the test set.
# Steps are in units of one over the curvature.
MOMENTUM, STEP_TIMES_CURVATURE = 0.9, 1.5


class Bag(Network):
    """Scores that are sums over the n-grams of a text, in any order: `b + Σⱼ wⱼ Eⱼ`.

    `inputs`: the numbers of the n-grams of each text, and their weights. `dropout`: the share of them that is left out.

    Reference: Joulin et al., "Bag of tricks for efficient text classification", arXiv 1607.01759, with the classes'
    scores themselves as the embedding of an n-gram.
    """

    table: Array
    bias: Array
    dropout: float = eqx.field(static=True)

    def __call__(self, inputs: tuple[Array, Array], state: Tree, key: jax.Array | None) -> tuple[Array, Tree]:
        number, weight = inputs
        if self.dropout and key is not None:
            weight = apply_dropout(weight, self.dropout, key)
        rows = self.table.at[number].get(mode="promise_in_bounds")
        return self.bias + BAG_GAIN * jnp.einsum("bl,blc->bc", weight, rows), state

    @property
    def is_random(self) -> bool:
        """Whether anything is left out in training."""
        return self.dropout > 0


class TextClassifier(NeuralClassifier):
    """Tells classes of texts apart.

    `model`: "bag" looks at which words a text has, and up to `ngrams` of them in a row, the rarer the more; it is the
    one to begin with. "transformer" reads a text in order, in `depth` layers of a `width` with so many `heads`: for
    short texts, and many of them. `dropout`: the share of what is left out at random in training, by default none of a
    bag, and a tenth in a transformer. `optimizer="auto"` is momentum for a bag, at a rate that follows from the texts.

    Texts are strings in a list, an array or a series, and may be empty. Words are found by Unicode, with the marks that
    belong to them, composed and without case; where a script puts no spaces between them, its letters stand for words,
    and `ngrams` of 2 or 3 for what they make together. Of all n-grams, the 65,536 that are in the most
    texts are known, and 256 of a text are looked at, the heaviest; a transformer knows 16,384 words, and looks at the
    first 128. They are kept as hashes in `vocabulary_`. A text without any of them has the scores of no words: those of
    a bag are what is usual. `descend.neural` says what the settings and attributes are that all estimators share.

    >>> texts = ["the cat sat on the mat", "a cat and a dog", "the stock fell again", "stock and bond markets"] * 10
    >>> model = TextClassifier(epochs=20, random_state=0).fit(texts, ["pets", "pets", "money", "money"] * 10)
    >>> model.predict(["my dog", "the bond market", "unheard-of"]).tolist()[:2]
    ['pets', 'money']

    **Raises** `InputError` for settings that mean nothing, for what is no text, and if no text has a word.
    """

    def __init__(
        self,
        model: str = "bag",
        *,
        ngrams: int = 1,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        dropout: float | None = None,
        optimizer: Any = "auto",
        batch_size: int | str = "auto",
        epochs: float | None = None,
        seconds: float | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int = 10,
        ema: float | None = None,
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        observers: Sequence[Observer] = (),
        checkpoint: str | Path | Checkpoint | None = None,
    ):
        self.model = model
        self.ngrams = ngrams
        self.width = width
        self.depth = depth
        self.heads = heads
        self.dropout = dropout
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.epochs = epochs
        self.seconds = seconds
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.ema = ema
        self.precision = precision
        self.random_state = random_state
        self.warm_start = warm_start
        self.observers = observers
        self.checkpoint = checkpoint

    def _inputs(self, X: Any, reset: bool) -> Any:
        texts = as_texts(X)
        # What was learned of the first texts stays where a network goes on: its rows are those of the n-grams it knows.
        known: NGrams | Words | None = getattr(self, "vocabulary_", None)
        goes_on = self.warm_start and isinstance(known, NGrams if self.model == "bag" else Words)
        if known is not None and (goes_on or not reset):
            return known.rows(texts)
        if self.model == "bag":
            known, rows = NGrams.learned(texts, self.ngrams, MAX_NGRAMS, MAX_NGRAMS_IN_TEXT)
        else:
            known, rows = Words.learned(texts, MAX_WORDS, MAX_WORDS_IN_TEXT)
        self.vocabulary_: NGrams | Words = known
        return rows

    def _init_network(self, inputs: Tree, outputs: int, rng: np.random.Generator) -> NetworkInit:
        known = self.vocabulary_
        # A bag begins with zeros: its loss is convex, and no symmetry has to be broken.
        if isinstance(known, NGrams):
            return NetworkInit(Bag(jnp.zeros((len(known.hashes), outputs)), jnp.zeros(outputs), self._dropout))
        return NetworkInit(Encoder.drawn(
            known.kinds, known.length, outputs,
            width=self.width, depth=self.depth, heads=self.heads, dropout=self._dropout, rng=rng,
        ))

    def _inputs_learnt(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        known = asdict(self.vocabulary_)
        arrays = {f"vocabulary/{name}": value for name, value in known.items() if isinstance(value, np.ndarray)}
        numbers = {name: value for name, value in known.items() if not isinstance(value, np.ndarray)}
        return {"vocabulary": {"rule": WORD_RULE_VERSION, **numbers}}, arrays

    def _take_inputs(self, told: Facts, arrays: dict[str, np.ndarray], outputs: int) -> tuple[Tree, int]:
        known = told.inner("vocabulary")
        if not known.has("rule") or known.any("rule") != WORD_RULE_VERSION:
            raise CheckpointError(f"{told.where} knows words that were told by another rule than this version of "
                                  "descend has: train again")
        hashes = _hashes(arrays, told.where)
        if self.model == "bag":
            if not self.ngrams <= MAX_NGRAM_WORDS:
                told.refuse("ngrams", f"{MAX_NGRAM_WORDS} at the most", self.ngrams)
            rarity = checked_array(arrays, "vocabulary/rarity", told.where, hashes.shape, "f")
            longest = known.whole("longest", self.ngrams, self.ngrams)
            self.vocabulary_ = NGrams(hashes, rarity, longest, known.whole("length", 1, MAX_NGRAMS_IN_TEXT))
            return None, (len(hashes) + 1) * outputs
        self.vocabulary_ = words = Words(hashes, known.whole("length", 1, MAX_WORDS_IN_TEXT))
        return None, Encoder.size(words.kinds, words.length, outputs, self.width, self.depth)

    def _described(self, size: str) -> str:
        kind = "bag of words" if self.model == "bag" else "transformer of words"
        return f"{kind}, {len(self.vocabulary_.hashes):,} of them known, {size}"

    def _rule(self, inputs: Tree, batch_size: int) -> Any:
        if self.model != "bag" or self.optimizer != "auto":
            return self.optimizer
        numbers, weights = inputs
        return SGD(Cosine(STEP_TIMES_CURVATURE / curvature(numbers, weights, batch_size)), momentum=MOMENTUM)

    def _batch_size(self, count: int) -> int:
        if self.model != "bag" or self.batch_size != "auto":
            return super()._batch_size(count)
        # Some 32 steps an epoch: of few texts in large batches, three epochs would be hardly any steps.
        return int(np.clip(count // 32, min(16, count), 256))

    @property
    def _epochs(self) -> int:  # type: ignore[override]  # a number of the class, where there is one model
        return DEFAULT_EPOCHS[self.model]

    @property
    def _dropout(self) -> float:
        return DEFAULT_DROPOUT[self.model] if self.dropout is None else self.dropout

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.model not in DEFAULT_DROPOUT:
            raise InputError(f"model must be one of {', '.join(DEFAULT_DROPOUT)}, but is {self.model!r}")
        for name in ("ngrams", "width", "depth", "heads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, but is {getattr(self, name)}")
        if self.width % self.heads:
            raise InputError(f"width must be a multiple of heads, but {self.width} is none of {self.heads}")
        if not 0 <= self._dropout < 1:
            raise InputError(f"dropout must be at least 0 and less than 1, but is {self.dropout}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, True, False
        return tags


def _hashes(arrays: dict[str, np.ndarray], where: str) -> np.ndarray:
    """The hashes of the words that are known, in the order in which they are looked up."""
    hashes = arrays.get("vocabulary/hashes")
    if hashes is None or hashes.ndim != 1 or hashes.dtype.kind != "i" or not len(hashes):
        found = None if hashes is None else (hashes.dtype, hashes.shape)
        refuse(where, "vocabulary/hashes", "whole numbers", found)
    if hashes[0] < 0 or not (hashes[1:] > hashes[:-1]).all():
        refuse(where, "vocabulary/hashes", "rising", hashes)
    return hashes


def curvature(numbers: np.ndarray, weights: np.ndarray, batch_size: int) -> float:
    """A bound on the curvature of a bag's loss on batches of so many texts, by powers of their products.

        ½ (λ + (γ² + 1) / batch),    λ the largest eigenvalue of the mean of x xᵀ,    x = (γ w, 1)

    Reference: Gower et al., "SGD: general analysis and improved rates", arXiv 1901.09401.
    """
    rows, length = weights.shape
    filled = sparse.csr_matrix((weights.ravel(), numbers.ravel(), np.arange(rows + 1) * length), copy=True)
    filled.eliminate_zeros()  # in place
    texts, largest = np.full(rows, rows**-0.5), 1.0
    # No product is negative, so that the largest eigenvalue stands alone, and the first powers come near it.
    for _ in range(4):
        texts = BAG_GAIN**2 * (filled @ (filled.T @ texts)) + texts.sum()
        largest = float(np.linalg.norm(texts))
        texts /= largest
    return 0.5 * (largest / rows + (BAG_GAIN**2 + 1) / batch_size)
