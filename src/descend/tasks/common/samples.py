"""The data sets that scikit-learn brings along, as tables: `sample:iris` needs no file and no network."""

import pandas as pd

from descend.errors import InputError

SAMPLE_NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")
TARGET = "target"


def read_sample(name: str) -> pd.DataFrame:
    """The sample called `name`, its last column called "target": class names, digits or the measured value."""
    if name not in SAMPLE_NAMES:
        raise InputError(f"no sample is called {name!r}: the samples are {', '.join(SAMPLE_NAMES)}")
    # scikit-learn takes a second to import.
    from sklearn import datasets

    # Measurements in their own units say more in a report than scikit-learn's standardised ones.
    settings = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **settings)
    frame: pd.DataFrame = bunch.frame
    if name in ("breast_cancer", "iris", "wine"):
        frame[TARGET] = [str(bunch.target_names[index]) for index in frame[TARGET]]
    return frame
