"""A loss with one thing changed, for a replay."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from descend.errors import InputError
from descend.insight.probe.findings import (
    Broadcast,
    DoubleSoftmax,
    Finding,
    MissingSoftmax,
    NonFinite,
    Unsafe,
    ZeroGradient,
)
from descend.insight.probe.graph import Path
from descend.insight.probe.interpreting import Arrays, Hooks, interpreted
from descend.insight.probe.program import Program
from descend.insight.probe.sites import Site
from descend.insight.probe.tracing import Traced

EPSILON = 1e-6  # what operands are kept away from zero by
GUARDED = {"log": 0, "log1p": 0, "div": 1, "sqrt": 0, "rsqrt": 0, "pow": 0, "exp": 0, "expm1": 0}
LARGEST_EXPONENT = 80.0  # of which the exponential is finite in single precision


def mended(loss: Callable[..., Any], finding: Finding) -> Callable[..., Any]:
    """The same loss, but for what was found.

    - `DoubleSoftmax`: the inner one gives scores whose softmax it was.
    - `MissingSoftmax`: the scores are given as shares, or as logarithms of them.
    - `Broadcast`: each prediction meets its own target alone.
    - `UnsafeLog`, `UnsafeDivision`, `UnsafeRoot`, and `NonFinite` of one of these or of an exponential: the operand is
      kept away from where there is no value, by 1e-6; beyond that the gradient is zero.
    - `ZeroGradient` behind a `stop_gradient`: that is left out.

    It can be compiled, differentiated and mapped like the loss, and takes and returns the same.

    **Raises** `InputError` for other findings, and for a loss that brings its own `value_and_grad`.
    """
    if getattr(loss, "value_and_grad", None) is not None:
        raise InputError("a loss that brings its own value_and_grad cannot be mended: leave that method out")
    site, change = _change(finding)

    @functools.wraps(loss, updated=())
    def changed(*args: Any, **named: Any) -> Any:
        traced = Traced.of(lambda args, named: loss(*args, **named), {"args": args, "named": named})
        program = Program(traced.graph)
        # By what it is, not by its number: without random numbers, or for another batch, there are other equations.
        paths = [op.path for op, known in program.sites.items() if known.identity == site.identity]
        if not paths:
            raise InputError(f"the loss has no {site.primitive} any more at {site.place}: probe it again")
        return traced.returned.unflatten(interpreted(traced.program, traced.arrays, _Changing(paths[0], change)))

    return changed


@dataclass
class _Changing(Hooks):
    """Another result of one equation, or other operands."""

    path: Path
    change: "_Change"

    def operands(self, path: Path, equation: JaxprEqn, operands: Arrays) -> Arrays:
        return self.change.operands(equation, operands) if path == self.path else operands

    def results(self, path: Path, equation: JaxprEqn, operands: Arrays, results: Arrays) -> Arrays:
        return self.change.results(operands, results) if path == self.path else results

    def enters(self, path: Path) -> bool:
        return path == self.path[: len(path)] and path != self.path


class _Change:
    """What is done to an equation: nothing, here."""

    def operands(self, equation: JaxprEqn, operands: Arrays) -> Arrays:
        return operands

    def results(self, operands: Arrays, results: Arrays) -> Arrays:
        return results


class _Guarded(_Change):
    """Operands that are kept where there is a value, and a slope."""

    def operands(self, equation: JaxprEqn, operands: Arrays) -> Arrays:
        name = equation.primitive.name
        place = GUARDED[name]
        x = operands[place]
        if name in ("exp", "expm1"):
            kept = jnp.where(x < LARGEST_EXPONENT, x, LARGEST_EXPONENT)
        elif name == "log1p":
            kept = jnp.where(x > EPSILON - 1, x, EPSILON - 1)
        elif name == "div":
            kept = jnp.where(jnp.abs(x) > EPSILON, x, jnp.where(x < 0, -EPSILON, EPSILON))
        else:
            kept = jnp.where(x > EPSILON, x, EPSILON)
        return [*operands[:place], kept.astype(x.dtype), *operands[place + 1 :]]


class _Unsoftened(_Change):
    """Of what a softmax or a sigmoid gives, scores that it would give it for."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def results(self, operands: Arrays, results: Arrays) -> Arrays:
        if self.kind == "sigmoid":
            return operands
        # A softmax of the logarithms of shares gives the shares, as it does of the scores.
        share = results[0]
        return [jnp.log(jnp.maximum(share, jnp.finfo(share.dtype).tiny))]


class _Softened(_Change):
    """Of scores, the shares that a loss takes, or their logarithms."""

    def __init__(self, finding: MissingSoftmax) -> None:
        self.finding = finding

    def results(self, operands: Arrays, results: Arrays) -> Arrays:
        scores, finding = results[0], self.finding
        if finding.site is not None and finding.site.primitive != "log":
            return [jax.nn.log_softmax(scores, axis=finding.axis)]
        shares = jax.nn.sigmoid(scores) if finding.kind == "sigmoid" else jax.nn.softmax(scores, axis=finding.axis)
        return [jnp.clip(shares, EPSILON, 1 - EPSILON)]  # as a logarithm follows


class _Paired(_Change):
    """Of each with each, each with its own, wherever in the row or the column."""

    def results(self, operands: Arrays, results: Arrays) -> Arrays:
        table = results[0]
        return [jnp.broadcast_to(jnp.diagonal(table)[:, None], table.shape)]


class _Passed(_Change):
    """The operand as it is."""

    def results(self, operands: Arrays, results: Arrays) -> Arrays:
        return operands


def _change(finding: Finding) -> tuple[Site, _Change]:
    """Which equation is to be changed, and how."""
    site = finding.site
    if isinstance(finding, DoubleSoftmax):
        return finding.inner, _Unsoftened(finding.kind)
    if isinstance(finding, MissingSoftmax):
        return finding.scores, _Softened(finding)
    if site is not None:
        if isinstance(finding, Broadcast):
            return site, _Paired()
        if isinstance(finding, Unsafe) or (isinstance(finding, NonFinite) and site.primitive in GUARDED):
            return site, _Guarded()
        if isinstance(finding, ZeroGradient) and finding.reason == "stopped":
            return site, _Passed()
    raise InputError(f"there is no one change of a loss that mends this: {finding.says}")

