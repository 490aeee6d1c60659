"""Why a descent ends at its last step: what a sign of convergence is worth, and what there is to say of it."""

import math
from dataclasses import replace

import numpy as np

from descend.engine.advancing import Trace
from descend.engine.descent import CONVERGED, RUNNING, STALLED
from descend.engine.points import Point, examined
from descend.engine.run import Run
from descend.errors import InputError
from descend.stopping import Convergence, Name, Reason


def checked_convergence(run: Run, trace: Trace, first: float) -> tuple[Run, Trace, Point | None]:
    """What a sign of convergence, or of a search that stalled, is worth: the point that the run is at.

    Where the sign misled, there is none. The run then goes on, and only a stronger sign will do; its trace is without
    the last entry, as the step that belongs to it is yet to be made. `first`: the loss at the start.
    """
    status, stop = int(run.state.guard.status), run.descent.stop
    if stop is None or status not in (CONVERGED, STALLED):
        return run, trace, None
    tolerance = stop.within(trace.columns["loss"].dtype) if isinstance(stop, Convergence) else 0.0
    if status == STALLED or not isinstance(stop, Convergence):
        # Whatever was asked for, the descent is as near as it comes.
        tolerance = max(tolerance, Convergence().within(trace.columns["loss"].dtype))
    point = examined(run, first, tolerance)
    # By a gradient of exactly 0 no step goes on, whatever the curvature says of the point.
    misled = not point.is_minimum and math.isfinite(point.fall) and trace.columns["gradient_norm"][-1] > 0
    if status == STALLED or not isinstance(stop, Convergence) or not misled:
        return run, trace, point
    guard = run.state.guard._replace(status=np.int32(RUNNING))
    descent = replace(run.descent, stop=stop.stricter())
    return Run(run.state._replace(guard=guard), descent), trace.without_last, None


def reason_at_rest(run: Run, trace: Trace, point: Point | None) -> Reason:
    """Why a descent came to rest: the word is "converged" only where the gradient, or the search, and the curvature
    agree."""
    loss, norm, stop = trace.columns["loss"][-1], trace.columns["gradient_norm"][-1], run.descent.stop
    name: Name = "stalled"
    evidence = (f"no step that was tried lowers the loss below {loss:.6g}, where the gradient's norm is {norm:.3g}: "
                "the limit of this precision")
    if int(run.state.guard.status) == CONVERGED and stop is not None:
        first = np.asarray(run.state.guard.first_norm)
        name, evidence = "stationary", stop.evidence(norm, first)
        known = point is not None and point.is_converged
        if not known and isinstance(stop, Convergence) and not stop.is_small(norm, first):
            # On a kink, a search knows that no step leads further down, while the gradient is as great as ever.
            name, evidence = "stalled", f"no step is expected to lower the loss, {loss:.6g}, though {evidence}"
    if point is None:
        return Reason(name, evidence, run.step)
    return Reason("converged" if point.is_converged else name, f"{evidence}. {point}", run.step)


def reason_of_divergence(trace: Trace, step: int) -> Reason:
    """Which number was the first that is not finite.

    **Raises** `InputError` if that was so before any step: then it is not the descent that diverged.
    """
    named = {"loss": "loss", "gradient_norm": "gradient's norm", "update_norm": "update's norm"}
    row = {name: trace.columns[name][-1] for name in named if name in trace.columns}
    bad = ((name, value) for name, value in row.items() if not np.isfinite(value))
    name, value = next(bad, ("update_norm", "not finite"))
    what = named[name]
    if step == 0 and name != "update_norm":
        raise InputError(f"the {what} is {value} at the starting parameters: begin where the loss is finite, "
                         "and look for values in the data that are not")
    return Reason("diverged", f"the {what} was {value} at step {step}; the parameters are those before it, which are "
                  "finite. A smaller learning rate may help", step)
