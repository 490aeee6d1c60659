"""What texts are told apart with, without any setting: the bars are scikit-learn's scores on the same texts."""

import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from descend.neural import TextClassifier

pytestmark = [pytest.mark.data, pytest.mark.optimized]


def loaded(load, *arguments):
    try:
        return load(*arguments)
    except SystemExit as missing:
        pytest.skip(str(missing))


def test_newsgroups():
    from benchmarks._texts import newsgroup_texts  # found where tests are run as `python -m pytest`, in the root

    train, test = (loaded(newsgroup_texts, part) for part in ("train", "test"))
    peers = [(TfidfVectorizer, LinearSVC), (TfidfVectorizer, MultinomialNB), (CountVectorizer, MultinomialNB)]
    best = max(make_pipeline(read(), tell()).fit(*train).score(*test) for read, tell in peers)
    assert TextClassifier(random_state=0).fit(*train).score(*test) >= best


def test_spam():
    from benchmarks._texts import spam_assassin

    texts, is_spam = loaded(spam_assassin)
    X, others, y, others_y = train_test_split(texts, is_spam, test_size=0.2, random_state=0, stratify=is_spam)
    assert TextClassifier(random_state=0).fit(X, y).score(others, others_y) >= 0.985
