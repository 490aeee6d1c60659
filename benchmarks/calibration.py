"""What the recipe of `optimizer="auto"` was calibrated on: its loss on held-out examples beside the best of nine AdamW.

How a rate is shrunk for longer descents, and how much of the weights a descent forgets, were chosen among a few hundred
combinations by how many of these workloads came within 2 % of the best of seven rates of AdamW with the recipe's own
schedule; the GPT, alone of its kind, was counted three times. None of them is among those that `untuned` judges by. But
those were looked at twice on the way: the GPT and the short descents were added here after the recipe of that moment
had done badly on a GPT and on a short descent there. The grid below is AdamW with a cosine schedule, at nine rates half
a decade apart, and costs nine budgets of steps; ours makes a tenth of the steps less, for its search, which takes an
eighth of them, and 300 at the least. The least length of a trial was set later, by some twenty of these; the planted
ones were looked at then.
"""

from collections.abc import Iterator
from typing import Any

from benchmarks._calibrating import workloads
from benchmarks._descents import measured
from benchmarks._rows import Row
from benchmarks.untuned import adamw_grid

PACKAGES = ("descend", "jax", "numpy", "scikit-learn")


def rows() -> Iterator[Row]:
    """Each workload."""
    losses = measured(workloads, rules)
    for workload in workloads():
        best = min(adamw_grid(), key=lambda rule: losses[workload.name, rule])
        yield Row(workload.name, f"best of the grid: {best}", "held-out loss", "loss", losses[workload.name, "auto"],
                  losses[workload.name, best])


def rules() -> dict[str, Any]:
    """Ours, and those of the grid."""
    return {"auto": "auto", **adamw_grid()}
