"""What the recipe of `optimizer="auto"` was calibrated on: its loss on held-out examples beside the best of nine AdamW.

The usual rate, how far the search moves away from it, the length of trials and how much of the weights a descent
forgets were chosen by grids over all of these but the GPT: nine rates by four amounts of forgetting, and trials of six
lengths at each rate. What counted was how many came within 2 % (planted ones: 5 %) of the best of the grid below. None
of them is among those that `untuned` and `untuned_more` judge by. But those were looked at three times on the way: the
GPT, the short descents and the planted ones were added here after a recipe of that moment had done badly on their like
there. The grid below is AdamW with a cosine schedule, at nine rates half a decade apart, and costs nine budgets of
steps; ours makes a tenth of the steps less, for its search, which takes an eighth to a fifth of them, and 160 at the
least.
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
