"""A logistic regression on real data, to race optimizers on: `descend studio examples/studio_loss.py`."""

import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer

X, y = load_breast_cancer(return_X_y=True)
data = (X - X.mean(0)) / X.std(0), y
batch_size = 32
params = {"weights": np.zeros(30), "bias": 0.0}


def loss(params, batch):
    """The mean of the logistic losses of a batch."""
    rows, malignant = batch
    scores = rows @ params["weights"] + params["bias"]
    return jnp.mean(jnp.logaddexp(0.0, scores) - malignant * scores)
