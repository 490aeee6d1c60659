"""How long it takes to begin: importing, and `descend fit sample:digits` from nothing to its report.

The import's peer is `import jax`; that of `descend fit` is scikit-learn's `MLPClassifier` behind a `StandardScaler`
on the same rows, from the start of Python to a held-out score.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks._rows import Row, alternately

PACKAGES = ("descend", "jax", "scikit-learn")
REPEATS = 5
SCIKIT_LEARN = """
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_digits(return_X_y=True)
a, b, c, d = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
make_pipeline(StandardScaler(), MLPClassifier((128, 128), max_iter=60, early_stopping=True)).fit(a, c).score(b, d)
"""


def rows() -> Iterator[Row]:
    """Both, in whole processes."""
    ours, theirs = alternately([_python("import descend"), _python("import jax")], 2 * REPEATS)
    yield Row("import descend", "import jax", "time", "s", ours, theirs)
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(1000))

        def fit() -> None:
            out = Path(folder) / str(next(numbers))
            arguments = ["fit", "sample:digits", "--target", "target", "--quiet", "--out", str(out)]
            _python(f"import sys; sys.argv[1:] = {arguments!r}; from descend.cli import main; main()")()

        ours, theirs = alternately([fit, _python(SCIKIT_LEARN)], REPEATS)
    yield Row("fit sample:digits, end to end", "scikit-learn MLPClassifier", "time", "s", ours, theirs)


def _python(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False)
