"""What people use for tables instead: each with its defaults, two threads, and stopping early where it can.

Frames are made ready as skrub's `tabular_pipeline` does for boosted trees: categories stay such, dates become numbers,
and texts 30 columns. Boosted trees may grow a thousand trees and stop where a tenth of the rows, held out of training,
no longer gets better. RealMLP and TabM take a fifth, as they do by default; as both are judged by log-loss, they
validate by it, and RealMLP does without smoothed labels, as its documentation asks for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import ensemble
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import train_test_split
from skrub import StringEncoder, TableVectorizer, ToCategorical, tabular_pipeline

THREADS, TREES, PATIENCE, TENTH = 2, 1000, 50, 0.1


@dataclass(frozen=True)
class Task:
    """Rows to learn from, and rows to predict; `y` is numbers, or those of classes, of which there are `classes`."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    classes: int
    seed: int

    @property
    def name(self) -> str:
        """What estimators of its kind are called by."""
        return "Classifier" if self.classes else "Regressor"


Learner = Callable[[Task], np.ndarray]


def hist_gradient_boosting(task: Task) -> np.ndarray:
    """Scikit-learn's."""
    maker = getattr(ensemble, f"HistGradientBoosting{task.name}")
    X, X_test = _with_categories(task)
    return _predicted(task, maker(max_iter=TREES, early_stopping=True, random_state=task.seed).fit(X, task.y), X_test)


def lightgbm(task: Task) -> np.ndarray:
    """LightGBM."""
    import lightgbm

    maker = getattr(lightgbm, f"LGBM{task.name}")
    X, X_test = _with_categories(task)
    learn, stop = _tenth(task)
    model = maker(n_estimators=TREES, random_state=task.seed, n_jobs=THREADS, verbose=-1)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    model.fit(X.iloc[learn], task.y[learn], eval_set=[(X.iloc[stop], task.y[stop])], callbacks=[stopping])
    return _predicted(task, model, X_test)


def xgboost(task: Task) -> np.ndarray:
    """XGBoost."""
    import xgboost

    maker = getattr(xgboost, f"XGB{task.name}")
    X, X_test = _with_categories(task)
    learn, stop = _tenth(task)
    model = maker(n_estimators=TREES, early_stopping_rounds=PATIENCE, random_state=task.seed, n_jobs=THREADS,
                  enable_categorical=True)
    model.fit(X.iloc[learn], task.y[learn], eval_set=[(X.iloc[stop], task.y[stop])], verbose=False)
    return _predicted(task, model, X_test)


def catboost(task: Task) -> np.ndarray:
    """CatBoost."""
    import catboost

    maker = getattr(catboost, f"CatBoost{task.name}")
    X, X_test = map(_as_words, _with_categories(task))
    learn, stop = _tenth(task)
    model = maker(iterations=TREES, early_stopping_rounds=PATIENCE, random_seed=task.seed, thread_count=THREADS,
                  cat_features=list(X.select_dtypes("object")), verbose=False, allow_writing_files=False)
    model.fit(X.iloc[learn], task.y[learn], eval_set=(X.iloc[stop], task.y[stop]))
    return _predicted(task, model, X_test)


def forest(task: Task) -> np.ndarray:
    """Scikit-learn's random forest."""
    maker = getattr(ensemble, f"RandomForest{task.name}")
    model = tabular_pipeline(maker(n_jobs=THREADS, random_state=task.seed))
    return _predicted(task, model.fit(task.X, task.y), task.X_test)


def linear(task: Task) -> np.ndarray:
    """skrub's pipeline before a linear model, whose penalty is chosen by cross-validation."""
    model = LogisticRegressionCV(max_iter=1000, l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False) \
        if task.classes else RidgeCV(np.logspace(-3, 3, 13))
    pipeline = tabular_pipeline(model)
    return _predicted(task, pipeline.fit(task.X, task.y), task.X_test)


def realmlp(task: Task) -> np.ndarray:
    """RealMLP with its tuned defaults."""
    settings = {"val_metric_name": "cross_entropy", "use_ls": False} if task.classes else {}
    return _pytabkit("RealMLP_TD", task, settings)


def tabm(task: Task) -> np.ndarray:
    """TabM with its defaults."""
    return _pytabkit("TabM_D", task, {"val_metric_name": "cross_entropy"} if task.classes else {})


def _pytabkit(family: str, task: Task, settings: dict[str, Any]) -> np.ndarray:
    from pytabkit.models.sklearn import sklearn_interfaces

    maker = getattr(sklearn_interfaces, f"{family}_{task.name}")
    X, X_test = _without_gaps(*_with_categories(task))
    model = maker(device="cpu", random_state=task.seed, n_threads=THREADS, **settings).fit(X, task.y)
    return _predicted(task, model, X_test)


def _with_categories(task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both frames made ready, with names that every library takes."""
    vectorizer = TableVectorizer(
        low_cardinality=ToCategorical(), high_cardinality=StringEncoder(n_components=30, random_state=task.seed)
    )
    X, X_test = vectorizer.fit_transform(task.X), vectorizer.transform(task.X_test)
    names = [f"column{number}" for number in range(X.shape[1])]
    return X.set_axis(names, axis=1), X_test.set_axis(names, axis=1)


def _without_gaps(X: pd.DataFrame, X_test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numbers that are missing as the median, and a column that says so, for those that allow none."""
    numbers = list(X.select_dtypes("number"))
    if not numbers:
        return X, X_test
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True).fit(X[numbers])
    imputer.set_output(transform="pandas")
    whole = lambda frame: imputer.transform(frame[numbers]).astype(np.float32).join(frame.drop(columns=numbers))
    return whole(X), whole(X_test)


def _as_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as words, a missing one as one more, for CatBoost."""
    words = {str(name): frame[name].astype(object).where(frame[name].notna(), "missing").astype(str).astype(object)
             for name in frame.select_dtypes("category")}
    return frame.assign(**words)


def _tenth(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """The rows to learn from, and the tenth that says when to stop: as much of each class, where each has enough."""
    enough = task.classes and np.bincount(task.y).min() >= 1 / TENTH
    learn, stop = train_test_split(np.arange(len(task.y)), test_size=TENTH, random_state=task.seed,
                                   stratify=task.y if enough else None)
    # Every class must be learnt, if only from the rows that say when to stop.
    lost = np.setdiff1d(task.y, task.y[learn]) if task.classes else np.array([])
    return np.concatenate([learn, stop[np.isin(task.y[stop], lost)]]), stop


def _predicted(task: Task, model: BaseEstimator, X: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict_proba(X) if task.classes else model.predict(X), np.float64)


PEERS: dict[str, Learner] = {
    "HistGradientBoosting": hist_gradient_boosting, "LightGBM": lightgbm, "XGBoost": xgboost, "skrub + linear": linear,
    "random forest": forest, "CatBoost": catboost, "RealMLP-TD": realmlp, "TabM-D": tabm,
}
