"""The n-grams that tell most: of each class, those that speak most for it."""

from html import escape
from itertools import chain

import numpy as np

from descend.neural.words import words
from descend.tasks.common.choosing.blending import Blend
from descend.tasks.common.fitted import Trained
from descend.tasks.common.network.prepared import NetworkPrepared
from descend.tasks.common.section import Section
from descend.tasks.text.model import LinearOfTexts
from descend.tasks.text.ngrams import NGrams, count, letters_of, runs

# For each class; and of classes.
SHOWN_NGRAMS, SHOWN_CLASSES = 12, 30
# Of the texts that are looked through.
LOOKED_THROUGH = 5000
UNIT_NAMES = {"words": "Words", "letters": "Runs of letters"}


def weightiest_section(chosen: Trained, prepared: NetworkPrepared) -> list[Section]:
    """A table for each linear model that has a part in what was chosen; none if none has."""
    kept = chosen.predictor
    parts = [part for _, part in kept.parts] if isinstance(kept, Blend) else [kept]
    texts = prepared.training.inputs[:LOOKED_THROUGH]
    tables = [_table(part, texts, prepared.target.classes) for part in parts if isinstance(part, LinearOfTexts)]
    if not tables:
        return []
    return [Section("What tells the classes", "What speaks most for each class: its coefficient, less the mean of all "
                    "classes, times how much of it an average text has. A blank is shown as ␣.", html="".join(tables))]


def _table(model: LinearOfTexts, texts: list[str], classes: tuple[str, ...]) -> str:
    influence = influences(model, texts)
    best = np.argsort(-influence, axis=1, kind="stable")[:SHOWN_CLASSES, :SHOWN_NGRAMS]
    spelt = spellings(model.known, texts, best.ravel())
    rows = (
        f"<tr><th>{escape(name)}<td>{' · '.join(_shown(spelt.get(int(place), '')) for place in places)}"
        for name, places in zip(classes, best, strict=False)
    )
    return f"<h3>{UNIT_NAMES[model.known.unit]}</h3><table class=weightiest>{''.join(rows)}</table>"


def influences(model: LinearOfTexts, texts: list[str]) -> np.ndarray:
    """How much each n-gram speaks for each class in an average text (classes, n-grams)."""
    mean = np.asarray(model.known.rows(texts).mean(axis=0)).ravel()
    weights = model.linear.coefficients
    # Of two classes, one has coefficients, and the other one these with the other sign.
    weights = np.vstack([-weights, weights]) if len(weights) == 1 else weights - weights.mean(axis=0)
    return weights * mean


def spellings(known: NGrams, texts: list[str], places: np.ndarray) -> dict[int, str]:
    """How n-grams are spelt that some of these texts have, by their places among those known."""
    spelt = _words(texts) if known.unit == "words" else _runs(texts, known.hashes[places])
    return {int(place): spelt[hashed] for place in places if (hashed := int(known.hashes[place])) in spelt}


def _words(texts: list[str]) -> dict[int, str]:
    every = sorted(set(chain.from_iterable(map(words, texts))))
    # A text of one word has one n-gram, that word.
    return dict(zip(count(every, "words").indices.tolist(), every, strict=True))


def _runs(texts: list[str], wanted: np.ndarray) -> dict[int, str]:
    letters = np.concatenate([letters_of(text) for text in texts])
    spelt = {}
    for length, (begins, hashes) in enumerate(runs(letters), start=1):
        found, first = np.unique(hashes, return_index=True)
        for place in np.flatnonzero(np.isin(found, wanted)):
            begin = begins[first[place]]
            spelt[int(found[place])] = "".join(map(chr, letters[begin : begin + length]))
    return spelt


def _shown(ngram: str) -> str:
    return f"<code>{escape(ngram.replace(' ', '␣'))}</code>"
