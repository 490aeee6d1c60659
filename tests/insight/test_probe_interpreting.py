"""A program that is evaluated equation by equation gives the same numbers and the same gradient, and its equations tell
where they come from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import primitives

from descend.insight.probe.graph import CALLS, CUSTOM, Graph
from descend.insight.probe.interpreting import Hooks, interpreted
from descend.insight.probe.program import Program
from probing import drawn, line_of


@jax.custom_vjp
def clipped(x):
    return x**2


clipped.defvjp(lambda x: (x**2, x), lambda x, slope: (jnp.clip(slope * x, -0.1, 0.1),))


@jax.jit
def compiled(x):
    return jnp.sin(x) + 1


def everything(x):
    """Each kind of equation that has a program within it."""

    def body(carry, row):
        carry = jax.checkpoint(lambda c: jnp.tanh(c + compiled(row)))(carry)
        return carry, clipped(carry)

    carry, rows = jax.lax.scan(body, x[0], x, reverse=True, unroll=2)
    mapped = jax.lax.map(lambda row: jax.nn.relu(row).sum(), rows)
    looped = jax.lax.fori_loop(0, 3, lambda i, c: c * x[i].sum(), 1.0)
    branch = jax.lax.cond(looped > 0, jnp.exp, jnp.cos, looped)
    return (jax.vmap(compiled)(mapped) * carry[0]).sum() + branch + jax.nn.logsumexp(rows)


def test_numbers_and_gradients_are_the_same():
    x = drawn(5, 3)
    program = jax.make_jaxpr(everything)(x)
    again = lambda x: interpreted(program, [x], Hooks())[0]
    value, slope = jax.jit(jax.value_and_grad(again))(x)
    expected, expected_slope = jax.jit(jax.value_and_grad(everything))(x)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-5, atol=1e-6)


def test_what_is_used_of_jax_is_there():
    """Names of primitives and of their parameters, and frames on the stack, are not promised by JAX: they are looked at
    here, so that it is known when they change."""
    program = jax.make_jaxpr(everything)(drawn(5, 3))
    names = {op.primitive for op in Graph.of(program, [("params", "x")]).ops}
    inside = {name for name in CALLS if name not in CUSTOM} | {*CUSTOM, "scan"}
    assert not names & inside  # all of them were taken apart
    assert {"tanh", "sin", "max", "exp", "cond", "integer_pow", "reduce_sum"} <= names
    scan = next(equation for equation in program.jaxpr.eqns if equation.primitive is primitives.scan_p)
    assert {"jaxpr", "length", "reverse", "unroll", "num_consts", "num_carry"} <= set(scan.params)
    stopped = jax.make_jaxpr(jax.lax.stop_gradient)(1.0)
    assert [equation.primitive.name for equation in stopped.jaxpr.eqns] == ["stop_gradient"]
    frame = scan.source_info.traceback.frames[0]
    assert {"file_name", "line_num", "function_name"} <= set(dir(frame))


def test_bounds_that_follow_from_a_program():
    """A log-softmax is at most 0, as the sum in it is at least 1."""
    program = Program(Graph.of(jax.make_jaxpr(jax.nn.log_softmax)(drawn(5, 3)), [("params", "x")]))
    assert program.range(program.graph.value).high == 0


@pytest.mark.parametrize(("primitive", "function", "text"), [
    ("tanh", everything, "jnp.tanh"), ("sin", compiled, "jnp.sin"), ("cond", everything, "lax.cond"),
    ("max", everything, "jax.nn.relu"),
])  # fmt: skip
def test_where_equations_come_from(primitive, function, text):
    program = Program(Graph.of(jax.make_jaxpr(everything)(drawn(5, 3)), [("params", "x")]))
    places = {(site.file, site.line) for op, site in program.sites.items() if op.primitive == primitive}
    assert (__file__, line_of(function, text)) in places
