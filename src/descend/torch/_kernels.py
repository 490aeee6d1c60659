"""A rule's mathematics for one array, compiled by Inductor into one pass over memory.

A rule is written on whole arrays: run as it is, each of its operations is a pass over memory of its own, with an array
to hold the result. Where every operation is pointwise, it is the same for arrays of any shape: the program is one for
flat arrays of any length, compiled once for a rule and a dtype, not once for every shape in a model. What depends on
numbers alone (step number, learning rate, bias corrections) is taken out of it and computed once in a step, because it
would be computed again for every element.
"""

import warnings
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.nn import Parameter

from descend.optimizers import Rule

# From which on threads are worth their start; PyTorch's own grain.
MIN_PARALLEL_NUMBERS = 2**15
# Lengths to trace with, by whether the kernel is parallel, which Inductor settles by the example. They are no round
# numbers, so that nothing about them but their size is special.
TRACED_LENGTHS = {False: 2**12 + 3, True: 2**20 + 3}
# Besides what PyTorch tags as pointwise, these give arrays of the same shape.
COPIES = {"detach", "alias", "clone", "_to_copy"}
SAME_SHAPE = COPIES | {"zeros_like", "ones_like", "full_like"}

Kernel = Callable[..., Any]


class Program(NamedTuple):
    """The mathematics of an array: `scalars(t, lr, *shared)`, then `body(g, p, *slots, *scalars)`, in place."""

    scalars: GraphModule
    body: GraphModule
    changes: tuple[int, ...]  # which of p and the slots change, by position
    kinds: tuple[torch.dtype, ...]  # of the scalars that the body takes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._code == other._code

    def __hash__(self) -> int:
        return hash(self._code)

    @property
    def _code(self) -> tuple[Any, ...]:
        return self.scalars.code, self.body.code, self.changes, self.kinds


def traced(rule: Rule, g: Tensor, p: Tensor, slots: Sequence[Tensor], shared: Sequence[str]) -> Program | None:
    """The program for arrays like these; `None` unless all of it is pointwise."""
    # Takes long to import.
    from torch.fx.experimental.proxy_tensor import make_fx

    def stepped(arrays: list[Tensor], scalars: list[Tensor]) -> list[Tensor]:
        g, p, *slots = arrays
        t, lr, *others = scalars
        u, new = rule.update_parameter(g, p, tuple(slots), t, lr, **dict(zip(shared, others, strict=True)))
        return [p + u, *new]

    arrays = [g.detach(), p.detach(), *slots]
    # No two the same object, or the trace would take them for one input.
    scalars = [torch.zeros((), dtype=g.dtype) for _ in range(2 + len(shared))]
    return _split(make_fx(stepped, tracing_mode="fake")(arrays, scalars), len(arrays), p.shape)


def _split(program: GraphModule, arrays: int, shape: torch.Size) -> Program | None:
    """The program's scalars and its body; `None` if the latter is not pointwise."""
    whole, parts = list(program.graph.nodes), (Graph(), Graph())
    placeholders = [node for node in whole if node.op == "placeholder"]
    result: list[Node] = next(node.args[0] for node in whole if node.op == "output")
    # 1. The body is what depends on an array, all of it pointwise; the rest is numbers, which are computed once a step.
    inside = set(placeholders[:arrays])
    for node in whole:
        if node.op == "call_function":
            if inside & set(node.all_input_nodes):
                if not _is_pointwise(node, shape):
                    return None
                inside.add(node)
            elif node.meta["val"].dim():
                return None
        elif node.op not in ("placeholder", "output"):
            # A constant: programs would have to be told apart by its values.
            return None
    # 2. In place, a result must not be written where another one is still to be read.
    if not inside.issuperset(result) or any(_is_anothers(node, placeholders[1 + i], placeholders[1:arrays])
                                            for i, node in enumerate(result)):
        return None
    # 3. Two graphs: numbers that the body uses go out of the first and into the second.
    crossing = [node for node in whole if node not in inside and inside & node.users.keys()]
    copies: tuple[dict[Node, Node], dict[Node, Node]] = ({}, {})
    for node in placeholders[:arrays] + crossing:
        copies[1][node] = parts[1].placeholder(node.name)
    for node in whole:
        which = node in inside
        if node.op != "output" and node not in copies[which]:
            copies[which][node] = parts[which].node_copy(node, copies[which].__getitem__)
    parts[0].output(tuple(copies[0][node] for node in crossing))
    changes = tuple(i for i, node in enumerate(result) if node is not placeholders[1 + i])
    parts[1].output(tuple(copies[1][result[i]] for i in changes))
    kinds = tuple(node.meta["val"].dtype for node in crossing)
    return Program(GraphModule(program, parts[0]), GraphModule(program, parts[1]), changes, kinds)


def _is_anothers(node: Node, own: Node, all_of_them: Sequence[Node]) -> bool:
    """Whether a result is what another array was before, which Inductor may read after it has been overwritten."""
    while node.op == "call_function" and str(node.target).split(".")[1] in COPIES:
        node = node.all_input_nodes[0]
    return node is not own and node in all_of_them


def _is_pointwise(node: Node, shape: torch.Size) -> bool:
    target, value = node.target, node.meta.get("val")
    known = isinstance(target, torch._ops.OpOverload) and (
        torch.Tag.pointwise in target.tags or str(target).split(".")[1] in SAME_SHAPE
    )
    return known and isinstance(value, Tensor) and value.shape == shape


def kernel(program: Program, dtypes: Sequence[torch.dtype], device: torch.device, large: bool) -> Kernel:
    """The program's body, compiled for flat arrays of any length, of these dtypes: it changes them in place.

    It takes a list: the parameter, its slots, the gradient and the numbers. The length is read from the first, so the
    gradient need not be flat: to make it so would take as long as a step of a small array. For the same reason,
    Inductor's innermost door is used.
    """
    # All of these take long to import.
    from torch._inductor import config
    from torch._inductor.compile_fx import compile_fx_inner
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    def in_place(*arguments: Tensor) -> tuple[()]:
        *changing, g = arguments[:len(dtypes)]
        for i, value in zip(program.changes, program.body(g, *changing, *arguments[len(dtypes):]), strict=True):
            changing[i].copy_(value)
        return ()

    arrays = [torch.zeros(TRACED_LENGTHS[large], dtype=dtype, device=device) for dtype in (*dtypes[1:], dtypes[0])]
    numbers = [torch.zeros((), dtype=kind) for kind in program.kinds]
    graph = make_fx(in_place, select_decomp_table(), tracing_mode="symbolic")(*arrays, *numbers)
    examples = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
    # No checks of sizes at each call, as arrays of any length are right; and one thread where threads cost more than
    # work.
    options = {"size_asserts": False} | ({} if large else {"cpp.threads": 1})
    tracing = torch._guards.tracing(torch._guards.TracingContext(examples[0].fake_mode))
    with tracing, config.patch(options):
        compiled: Any = compile_fx_inner(graph, examples)
    length = examples[0].shape[0]
    if not isinstance(length, torch.SymInt) or length.node.maybe_as_int() is not None:
        # Nothing would check it later, and numbers of longer arrays would be left as they are.
        raise RuntimeError("the length of the example was taken for that of all arrays")
    return getattr(compiled, "current_callable", compiled)


class PreparedParameter(NamedTuple):
    """A parameter and its slots as flat arrays, with the kernel for them; without one, if it is to be run eagerly."""

    p: Tensor
    pointer: int
    slots: Sequence[Any]
    contiguous: bool
    flat: Sequence[Tensor] = ()
    program: Any = None
    kernel: Any = None

    def run(self, g: Tensor, numbers: Sequence[Tensor]) -> None:
        """Step the parameter and its slots in place."""
        # Numbers are stepped in the order in which they are in memory, which must be that of the parameter's.
        if not (self.contiguous and g.is_contiguous()) and g.stride() != self.p.stride():
            g = torch.empty_like(self.p).copy_(g)  # its numbers in the order in which the parameter's are in memory
        self.kernel([*self.flat, g, *numbers])


class Kernels:
    """The kernels of a rule, made when they are first needed. If making one fails, all is eager from then on."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.failed = False
        # By shapes and dtypes. Arrays of several shapes may have one program, and programs of several dtypes kernels.
        self._programs: dict[Any, Program | None] = {}
        self._kernels: dict[Any, Kernel] = {}
        self._ready: dict[int, PreparedParameter] = {}

    @property
    def used(self) -> bool:
        """Whether any parameter is stepped by a kernel."""
        return bool(self._kernels)

    def ready(self, g: Tensor, p: Tensor, slots: Sequence[Any], shared: Sequence[str]) -> PreparedParameter | None:
        """What steps this parameter; `None` if that is left to the rule as it is written."""
        if type(g) is not Tensor:
            return None
        kept = self._ready.get(id(p))
        # The parameter's data and its slots may have been replaced.
        if kept is None or kept.p is not p or kept.pointer != p.data_ptr() or not all(map(is_, kept.slots, slots)):
            if self.failed:
                return None
            try:
                # The compiler's warnings are not the caller's.
                with warnings.catch_warnings(action="ignore"):
                    kept = self._ready[id(p)] = self._made(g, p, slots, shared)
            # A compiler may fail in any way, and no step depends on it.
            except Exception as error:
                self.failed = True
                warnings.warn(f"the steps of {type(self.rule).__name__} could not be compiled, and are made eagerly, "
                              f"which is slower ({type(error).__name__}: {_first_line(error)}); "
                              "TorchOptimizer(..., compiled=False) does not try", RuntimeWarning, stacklevel=2)
                return None
        return kept if kept.kernel is not None and g.dtype is p.dtype else None

    def _made(self, g: Tensor, p: Tensor, slots: Sequence[Any], shared: Sequence[str]) -> PreparedParameter:
        eager = PreparedParameter(p, p.data_ptr(), (), p.is_contiguous())
        if type(p) not in (Tensor, Parameter) or not _is_dense(p):
            return eager
        if not all(type(x) is Tensor and x.shape == p.shape and x.stride() == p.stride() for x in slots):
            return eager
        dtypes = (g.dtype, p.dtype, *(x.dtype for x in slots))
        signature = p.shape, dtypes, tuple(shared)
        if signature not in self._programs:
            self._programs[signature] = self._known(traced(self.rule, g, p, slots, shared))
        program, large = self._programs[signature], p.numel() >= MIN_PARALLEL_NUMBERS
        if program is None:
            return eager
        key = program, dtypes, p.device, large, torch.get_num_threads()
        if key not in self._kernels:
            self._kernels[key] = kernel(program, dtypes, p.device, large)
        arrays = [_flat(x) for x in (p.detach(), *slots)]
        return eager._replace(slots=slots, flat=arrays, program=program, kernel=self._kernels[key])

    def _known(self, program: Program | None) -> Program | None:
        """The same program, if arrays of another shape have it already."""
        return next((known for known in self._programs.values() if known == program), program)


def _flat(x: Tensor) -> Tensor:
    """A dense array's numbers in the order of memory."""
    return x.as_strided((x.numel(),), (1,))


def _is_dense(x: Tensor) -> bool:
    """Whether the numbers fill a piece of memory, in any order of the axes."""
    filled = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size != 1:
            if stride != filled:
                return False
            filled *= size
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0][:200]
