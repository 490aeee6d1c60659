"""What the methods import when they are first asked, imported before, so that no table's seconds count it."""

from contextlib import suppress
from importlib import import_module

for name in ("jax", "lightgbm", "xgboost", "catboost", "pytabkit.models.sklearn.sklearn_interfaces",
             "pytorch_lightning"):
    with suppress(ImportError):
        import_module(name)
