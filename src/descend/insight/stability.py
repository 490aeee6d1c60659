"""Rate × sharpness early in a descent, beside the rule's limit: evidence of steps that are too large."""

import math

from descend.errors import InputError
from descend.insight._preconditioner import scale_of
from descend.insight.case import Case
from descend.insight.judging import examples_of, some
from descend.insight.rules import rate_of
from descend.insight.spectrum import spectrum

PRODUCTS, EXAMPLES = 12, 512  # with the Hessian, on so many examples: the largest eigenvalue is the first to be found


def beside_limit(case: Case) -> str:
    """A sentence that compares them; empty where theory gives no limit, or the curvature cannot be had."""
    run = case.kept[case.early]
    schedule, limit = rate_of(run.descent.optimizer), run.descent.optimizer.stability_limit()
    if schedule is None or limit is None or not math.isfinite(limit):
        return ""
    examples = examples_of(run)
    scale = scale_of(run)
    is_divided = scale is not None and bool((scale != 1).any())
    try:
        found = spectrum(run, None if examples is None else some(examples, EXAMPLES), products=PRODUCTS, batches=1,
                         preconditioned=is_divided)  # fmt: skip
    except InputError:  # of a loss that cannot be differentiated twice
        return ""
    sharpness = found.largest.value
    if not sharpness > 0:
        return ""
    product = float(schedule(run.step)) * sharpness
    of = "preconditioned curvature" if is_divided else "curvature"
    return f"rate × {of} is {product:.3g} after {run.step} steps, and the rule is stable below {limit:.3g}"

