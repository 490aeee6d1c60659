"""Compiled steps of `TorchOptimizer`: the same as those that are made eagerly, for any arrays."""

import copy
import warnings

import pytest

from descend import optimizers
from descend.optimizers import SGD, Adam, AdamW, Rule

torch = pytest.importorskip("torch", reason="steps PyTorch's models: pip install 'descend[peers]'")

from descend.torch import TorchOptimizer, _kernels, _optimizer  # noqa: E402
from test_torch import network, trained, values  # noqa: E402  # which needs PyTorch

pytestmark = pytest.mark.peers

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}


def arrays(shapes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


def gradients(params, step):
    generator = torch.Generator().manual_seed(step)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)


def stepped(rule, shapes, compiled, dtype=torch.float32, steps=4):
    """The optimizer and its parameters after some steps."""
    params = arrays(shapes, dtype)
    optimizer = TorchOptimizer(params, rule, compiled=compiled)
    for step in range(steps):
        gradients(params, step)
        optimizer.step()
    return optimizer, params


def assert_alike(compiled, eager, tolerance):
    for (ours, p), (theirs, _) in zip(everything(*compiled), everything(*eager), strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, msg=lambda text, at=p: f"{at}: {text}")


def everything(optimizer, params):
    """Parameters and what is remembered of them."""
    for i, p in enumerate(params):
        yield p.detach(), i
        yield from ((torch.as_tensor(value), (i, name)) for name, value in optimizer.state[p].items())


SHAPES = [(3, 5), (7,), (1,), (), (2, 3, 4), (5, 0)]
LARGE = [*SHAPES, (200, 200)]  # so large that its kernel is another, with threads


@pytest.mark.parametrize(
    ("rule", "dtype", "shapes"),
    [
        (Adam(0.01), torch.float32, LARGE),
        (AdamW(0.01), torch.float64, SHAPES),
        (optimizers.RAdam(0.01), torch.float32, SHAPES),  # which takes a condition, too, from the step number
        (optimizers.Prodigy(), torch.float64, SHAPES),  # numbers that all arrays share
        (SGD(0.01), torch.bfloat16, SHAPES),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Rule) else None,
)
def test_compiled_is_eager(rule, dtype, shapes):
    compiled, eager = stepped(rule, shapes, True, dtype), stepped(rule, shapes, False, dtype)
    assert compiled[0].compiled
    assert not eager[0].compiled
    assert_alike(compiled, eager, TOLERANCE.get(dtype, torch.finfo(dtype).eps))


def test_compiled_is_pytorchs():
    params, theirs = arrays([(64, 64), (64,)], torch.float64), arrays([(64, 64), (64,)], torch.float64)
    optimizer, peer = TorchOptimizer(params, AdamW(0.01), compiled=True), torch.optim.AdamW(theirs, 0.01)
    for step in range(6):
        for each, model in ((optimizer, params), (peer, theirs)):
            gradients(model, step)
            each.step()
    for p, q in zip(params, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_one_kernel_serves_all_shapes(monkeypatch):
    made = []

    def counting(*arguments):
        made.append(arguments)
        return kernel(*arguments)

    kernel = _kernels.kernel
    monkeypatch.setattr(_kernels, "kernel", counting)
    optimizer, _ = stepped(Adam(0.01), [(n, n + 1) for n in range(2, 12)], True)
    assert optimizer.compiled
    assert len(made) == 1


@pytest.mark.parametrize("rule", [Adam(0.01), SGD(0.01)], ids=["Adam", "SGD"])
def test_layouts(rule):
    """Arrays whose axes lie in another order in memory, with gradients in the same or in another; gradients that are
    expanded; and parameters that leave gaps."""
    weight = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    gaps = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    pairs = []
    for compiled in (True, False):
        params = [
            weight.clone(memory_format=torch.channels_last).requires_grad_(),
            weight[0].clone().requires_grad_(),
            weight[1].clone().requires_grad_(),
            gaps.clone()[:, ::2].requires_grad_(),
        ]
        optimizer = TorchOptimizer(params, rule, compiled=compiled)
        for step in range(4):
            gradients(params, step)
            if step % 2:
                params[0].grad = params[0].grad.contiguous(memory_format=torch.channels_last)
            params[1].grad = params[1].grad.transpose(1, 2).contiguous().transpose(1, 2)
            params[2].grad = torch.tensor(0.5).expand(3, 5, 5)
            optimizer.step()
        assert params[0].is_contiguous(memory_format=torch.channels_last)
        pairs.append((optimizer, params))
    assert pairs[0][0].compiled
    assert_alike(*pairs, 1e-5)


@optimizers._rule.rule
class Swapping(Rule):
    """Two slots that change places, and one that is the gradient; all of it pointwise."""

    learning_rate: float = 0.5
    copied: bool = optimizers._rule.fixed(default=False)

    @property
    def slots(self):
        return ("first", "second", "gradient")

    def slot_start(self, name):
        return lambda p: 0 * p + (1.0 if name == "first" else 2.0)

    def update_parameter(self, g, p, slots, t, lr):
        first, second, gradient = slots
        update = -lr * (g + gradient + first)
        return update, (second.clone(), first.clone(), g) if self.copied else (second, first, g)


@pytest.mark.parametrize("copied", [False, True])
def test_slots_may_change_places(copied):
    pairs = [stepped(Swapping(copied=copied), [(3, 4)], compiled, steps=3) for compiled in (True, False)]
    assert_alike(*pairs, 1e-6)


@optimizers._rule.rule
class Anchored(Rule):
    """Remembers where it started, which a functional rule need not copy."""

    learning_rate: float = 0.5

    @property
    def slots(self):
        return ("start",)

    def slot_start(self, name):
        return lambda p: p

    def update_parameter(self, g, p, slots, t, lr):
        return lr * (slots[0] - p) - lr * g, slots


def test_what_is_remembered_is_not_the_parameter():
    compiled, eager = stepped(Anchored(), [(3, 4)], True), stepped(Anchored(), [(3, 4)], False)
    assert compiled[0].compiled
    assert_alike(compiled, eager, 1e-6)


def test_kernels_leave_a_loaded_state_alone():
    optimizer, params = stepped(Adam(0.01), [(5, 5)], True)
    kept = copy.deepcopy(optimizer.state_dict())
    before = copy.deepcopy(kept)
    optimizer.load_state_dict(kept)
    gradients(params, 9)
    optimizer.step()
    assert torch.equal(kept["state"][0]["mean"], before["state"][0]["mean"])
    assert not torch.equal(optimizer.state[params[0]]["mean"], before["state"][0]["mean"])


def test_replaced_arrays_are_followed():
    """Parameters may be given other memory, and what is remembered may be loaded."""
    pairs = []
    for compiled in (True, False):
        optimizer, params = stepped(Adam(0.01), [(5, 5), (5,)], compiled)
        params[0].data = params[0].detach().clone() + 1
        optimizer.state[params[1]]["mean"] = torch.ones(5)
        for step in range(3):
            gradients(params, step)
            optimizer.step()
        pairs.append((optimizer, params))
    assert_alike(*pairs, 1e-5)


def test_rules_that_look_at_whole_arrays_are_not_compiled():
    with warnings.catch_warnings(action="error"):
        optimizer, _ = stepped(optimizers.Adafactor(0.01), [(6, 4), (4,)], True)
        modified, _ = stepped(optimizers.ClipByNorm(Adam(0.01), 1.0), [(6, 4)], True)
    assert not optimizer.compiled
    assert not modified.compiled


def test_without_a_compiler_steps_are_eager(monkeypatch):
    def fails(*_):
        raise RuntimeError("no C++ compiler\nlooked everywhere")

    monkeypatch.setattr(_kernels, "kernel", fails)
    message = r"steps of Adam could not be compiled, .* slower \(RuntimeError: no C\+\+ compiler\);"
    with pytest.warns(RuntimeWarning, match=message) as warned:
        failed = stepped(Adam(0.01), [(6, 4), (4,)], True)
    assert len(warned) == 1
    assert not failed[0].compiled
    assert_alike(failed, stepped(Adam(0.01), [(6, 4), (4,)], False), 0.0)


def test_large_models_are_compiled_by_themselves(monkeypatch):
    assert not stepped(Adam(0.01), [(6, 4)], None)[0].compiled
    monkeypatch.setattr(_optimizer, "MIN_COMPILED_NUMBERS", 24)
    assert stepped(Adam(0.01), [(6, 4)], None)[0].compiled


def test_autograd_sees_the_change():
    """A graph that needs the parameter as it was is not to be used after a step."""
    optimizer, (p,) = stepped(Adam(0.01), [(3, 3)], True)
    loss = p.square().sum()
    p.grad = torch.ones_like(p)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_network_trains_compiled():
    pairs = []
    for compiled in (True, False):
        model = network(torch.float32)
        optimizer = TorchOptimizer(model.named_parameters(), Adam(0.01), compiled=compiled)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        trained(model, optimizer, 6, scheduler)
        pairs.append(values(model))
    torch.testing.assert_close(*pairs, rtol=1e-5, atol=1e-5)
