"""A loss's program evaluated equation by equation, with a look at, or a change of, what passes through."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, DebugInfo, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from descend.insight.probe.graph import CUSTOM, Path, called

Arrays = list[Any]
# Compiles in half the time.
HASTY: dict[str, Any] = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


class Hooks:
    """What happens at each equation: nothing, here.

    `leaves_out`: whether an equation without results, which shows something, is passed over. `operands` and `results`
    are asked before and after an equation, calls included, and give what is to be taken
    instead. `enters`: whether a call that brings a derivative of its own is taken apart, which then is lost; else
    `inside` looks into it, at copies. `at_loop`: what a loop's body is evaluated with. It gives other hooks, and what
    they need at each iteration, of which they are told by `begin`; what they have to tell of an iteration, `told`,
    comes back for all iterations, to `after_loop`.
    """

    def leaves_out(self, equation: JaxprEqn) -> bool:
        return False

    def operands(self, path: Path, equation: JaxprEqn, operands: Arrays) -> Arrays:
        return operands

    def results(self, path: Path, equation: JaxprEqn, operands: Arrays, results: Arrays) -> Arrays:
        return results

    def enters(self, path: Path) -> bool:
        return False

    def inside(self, path: Path) -> "Hooks | None":
        return None

    def at_loop(self, path: Path) -> tuple["Hooks", Any]:
        return self, None

    def begin(self, given: Any) -> None:
        pass

    def told(self) -> Any:
        return None

    def after_loop(self, path: Path, told: Any) -> None:
        pass


def interpreted(program: ClosedJaxpr, arrays: Sequence[Any], hooks: Hooks, path: Path = ()) -> Arrays:
    """The results of a program, with hooks at its equations."""
    jaxpr: Jaxpr = program.jaxpr
    known: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*program.consts, *arrays), strict=True))
    read: Callable[[Any], Any] = lambda atom: atom.val if isinstance(atom, Literal) else known[atom]
    for i, equation in enumerate(jaxpr.eqns):
        here = (*path, i)
        if not equation.outvars and hooks.leaves_out(equation):
            continue
        operands = hooks.operands(here, equation, [read(atom) for atom in equation.invars])
        results = hooks.results(here, equation, operands, _made(equation, operands, hooks, here))
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _made(equation: JaxprEqn, operands: Arrays, hooks: Hooks, path: Path) -> Arrays:
    """What an equation makes of its operands."""
    name = equation.primitive.name
    if name == "scan":
        return _scanned(equation, operands, hooks, path)
    inner = called(equation)
    if inner is not None and (name not in CUSTOM or hooks.enters(path)):
        return interpreted(inner, operands, hooks, path)
    # Its own derivative must hold, so it is evaluated as a whole; what is in it is evaluated besides, to be looked at.
    # The compiler sees that both are the same.
    if inner is not None and (looking := hooks.inside(path)) is not None:
        interpreted(inner, [jax.lax.stop_gradient(x) for x in operands], looking, path)
    return _bound(equation, operands)


def _bound(equation: JaxprEqn, operands: Arrays) -> Arrays:
    """What an equation makes of its operands, with the derivative that it has."""
    primitive = equation.primitive
    if primitive.name in CUSTOM:
        # Its functions are packed into the equation: JAX itself unpacks them, in a program of this one equation.
        slots = {atom: x for atom, x in zip(equation.invars, operands, strict=True) if not isinstance(atom, Literal)}
        about: Any = DebugInfo("probe", primitive.name, None, None)
        program = Jaxpr((), list(slots), equation.outvars, [equation], equation.effects, debug_info=about)
        return jaxpr_as_fun(ClosedJaxpr(program, ()))(*slots.values())
    results = primitive.bind(*operands, **equation.params)
    return list(results) if primitive.multiple_results else [results]


def _scanned(equation: JaxprEqn, operands: Arrays, hooks: Hooks, path: Path) -> Arrays:
    """A loop, its body evaluated with hooks."""
    body: ClosedJaxpr = equation.params["jaxpr"]
    shared, carried = equation.params["num_consts"], equation.params["num_carry"]
    constants, before, sliced = operands[:shared], operands[shared : shared + carried], operands[shared + carried :]
    # What is told in an iteration belongs to the loop's own trace: it can only come out as one of the loop's results.
    inner, needed = hooks.at_loop(path)

    def step(carry: Any, given: Any) -> tuple[Any, Any]:
        slices, for_hooks = given
        inner.begin(for_hooks)
        results = interpreted(body, [*constants, *carry, *slices], inner, path)
        return tuple(results[:carried]), (results[carried:], inner.told())

    settings = {name: equation.params[name] for name in ("length", "reverse", "unroll")}
    after, (stacks, told) = jax.lax.scan(step, tuple(before), (sliced, needed), **settings)
    hooks.after_loop(path, told)
    return [*after, *stacks]


def ran_once(function: Callable[..., Any], *arrays: Any) -> Any:
    """What a function of arrays gives, on the host, compiled as fast as possible: it will not be called again."""
    program = jax.jit(function).lower(*arrays).compile(compiler_options=HASTY)
    return jax.device_get(program(*arrays))
