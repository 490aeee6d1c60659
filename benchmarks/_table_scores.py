"""How good predictions of held-out rows are."""

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score, roc_auc_score

# Nobody is punished without end for a class that was thought impossible.
LEAST = 1e-7


def scores(truth: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    """The loss, which is log-loss or RMSE, and what else is asked for."""
    if not classes:
        return {"loss": float(np.sqrt(np.mean((truth - predicted) ** 2))), "R²": float(r2_score(truth, predicted)),
                "MAE": float(mean_absolute_error(truth, predicted))}
    shares = _possible(predicted)
    found = {"loss": float(log_loss(truth, shares, labels=np.arange(classes))),
             "accuracy": float(accuracy_score(truth, shares.argmax(axis=1)))}
    return found | ({"AUC": float(roc_auc_score(truth, shares[:, 1]))} if classes == 2 else {})


def constant(known: np.ndarray, count: int, classes: int) -> np.ndarray:
    """The prediction that knows no column: the mean, or the share of each class."""
    return np.full(count, known.mean()) if not classes else \
        np.tile(np.bincount(known, minlength=classes) / len(known), (count, 1))


def behind(truth: np.ndarray, predicted: np.ndarray, best: np.ndarray, classes: int) -> float:
    """By how many standard errors the loss of one prediction is above another's, row by row; 0 where they are equal."""
    worse = _row_losses(truth, predicted, classes) - _row_losses(truth, best, classes)
    error = float(worse.std(ddof=1)) / np.sqrt(len(worse))
    return float(worse.mean() / error) if error > 0 else 0.0


def _row_losses(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return -np.log(_possible(predicted)[np.arange(len(truth)), truth]) if classes else (truth - predicted) ** 2


def _possible(shares: np.ndarray) -> np.ndarray:
    """Shares of which none is 0."""
    shares = np.clip(shares, LEAST, None)
    return shares / shares.sum(axis=1, keepdims=True)
