"""Texts told apart without any setting: accuracy on texts not trained on, and the seconds to learn and to tell.

`TextClassifier()` beside scikit-learn's `TfidfVectorizer` or `CountVectorizer` with `LinearSVC` or `MultinomialNB`, all
with their defaults, on the same texts: 20 Newsgroups with its own test texts, and e-mails of SpamAssassin, of which a
fifth is held out. Seconds: from the texts to the classes of those held out; ours the first time in a process, when it
is compiled, and once more.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks._rows import Row
from benchmarks._texts import Texts, newsgroup_texts, spam_assassin
from descend.neural import TextClassifier

PACKAGES = ("descend", "jax", "numpy", "scikit-learn")
PEERS: dict[str, Callable[[], Any]] = {
    "TF-IDF, LinearSVC": lambda: make_pipeline(TfidfVectorizer(), LinearSVC()),
    "TF-IDF, MultinomialNB": lambda: make_pipeline(TfidfVectorizer(), MultinomialNB()),
    "counts, MultinomialNB": lambda: make_pipeline(CountVectorizer(), MultinomialNB()),
}


def rows() -> Iterator[Row]:
    """Each set of texts, each peer."""
    for name, (train, test) in {"20 Newsgroups": newsgroups(), "SpamAssassin": spam()}.items():
        (_, first), (ours, again) = (told(TextClassifier(random_state=0), train, test) for _ in range(2))
        for peer, make in PEERS.items():
            theirs, seconds = told(make(), train, test)
            yield Row(name, peer, "accuracy", "share", ours, theirs)
            yield Row(name, peer, "fit and predict, first time", "s", first, seconds)
            yield Row(name, peer, "fit and predict", "s", again, seconds)


def told(model: Any, train: Texts, test: Texts) -> tuple[float, float]:
    """The share of the test texts whose class a model tells, and the seconds to learn and to tell."""
    begin = time.perf_counter()
    score = float(model.fit(*train).score(*test))
    return score, time.perf_counter() - begin


def newsgroups() -> tuple[Texts, Texts]:
    """The groups' own parts."""
    return newsgroup_texts("train"), newsgroup_texts("test")


def spam() -> tuple[Texts, Texts]:
    """E-mails to learn from, and others."""
    texts, is_spam = spam_assassin()
    X, others, y, others_y = train_test_split(texts, is_spam, test_size=0.2, random_state=0, stratify=is_spam)
    return (X, y), (others, others_y)
