"""Optimizers of ours in PyTorch's loops: the same steps as in NumPy, and what PyTorch's users expect besides."""

import copy
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

from descend import optimizers, schedules
from descend.errors import InputError
from descend.optimizers import SGD, Adam, AdamW, Rule
from descend.optimizers.quasi_newton import LBFGS
from enforced import without_types

torch = pytest.importorskip("torch", reason="steps PyTorch's models: pip install 'descend[peers]'")

from descend.torch import TorchOptimizer  # noqa: E402  # which needs PyTorch

pytestmark = pytest.mark.peers


def network(dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).to(dtype)


def batch(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    dtype = next(model.parameters()).dtype
    return torch.randn(16, 3, generator=generator).to(dtype), torch.randn(16, 1, generator=generator).to(dtype)


def backward(model, optimizer, seed=1):
    """The gradients of a batch's loss."""
    x, y = batch(model, seed)
    optimizer.zero_grad()
    loss = (model(x) - y).square().mean()
    loss.backward()
    return loss


def trained(model, optimizer, steps=5, scheduler=None):
    """What the parameters are after some steps, each on a batch of its own."""
    for step in range(steps):
        optimizer.step(lambda step=step: backward(model, optimizer, step))
        if scheduler is not None:
            scheduler.step()
    return values(model)


def values(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def apart(x, y):
    return float((x.double() - y.double()).abs().max())


def single(value=(1.0, -2.0), grad=(0.5, 0.25), dtype=torch.float64):
    """A parameter with a gradient."""
    p = torch.tensor(value, dtype=dtype, requires_grad=True)
    p.grad = torch.tensor(grad, dtype=dtype)
    return p


# ---------------------------------------------------------------------------------------------- the same steps

CURVATURE = {"weight": np.linspace(0.5, 2.0, 12).reshape(3, 4), "bias": np.array([1.0, 0.3, 3.0])}
START = {"weight": np.linspace(-2.0, 3.0, 12).reshape(3, 4), "bias": np.array([2.0, -1.0, 0.7])}
MODIFIED = {
    "EMA": lambda: optimizers.EMA(Adam(0.05), decay=0.9),
    "PolyakAverage": lambda: optimizers.PolyakAverage(SGD(0.05), start=3),
    "Lookahead": lambda: optimizers.Lookahead(Adam(0.05), every=3),
    "SAM": lambda: optimizers.SAM(SGD(0.05, momentum=0.5), radius=0.1),
    "ClipByNorm": lambda: optimizers.ClipByNorm(Adam(0.05), 1.0),
    "WeightDecay": lambda: optimizers.WeightDecay(optimizers.Lion(0.01), 0.1),
    "Accumulate": lambda: optimizers.Accumulate(Adam(0.05), batches=3),
    "ReduceOnPlateau": lambda: optimizers.ReduceOnPlateau(SGD(0.5), patience=1),
    "PerGroup": lambda: optimizers.PerGroup(Adam(0.05), {"*/bias": SGD(0.1, momentum=0.9)}),
    "Freeze": lambda: optimizers.Freeze(Adam(0.05), "*/bias"),
    "Nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True),
    "scheduled": lambda: AdamW(schedules.Cosine(0.1, steps=20, warmup=3)),
    "DoG of layers": lambda: optimizers.DoG(layerwise=True),
}
PLAIN = {member.name: member.cls for member in optimizers.family() if member.kind in ("rule", "search")}
for name in ("Newton", "NewtonCG", "LevenbergMarquardt"):  # which take derivatives, by JAX alone
    del PLAIN[name]
CASES = PLAIN | MODIFIED


def quadratic(params):
    """Σ a √(1 + x²) and its gradient, in NumPy."""
    layer = params["layer"]
    value = sum((a * np.sqrt(1 + layer[name] ** 2)).sum() for name, a in CURVATURE.items())
    return value, {"layer": {name: a * layer[name] / np.sqrt(1 + layer[name] ** 2) for name, a in CURVATURE.items()}}


def in_numpy(rule, steps):
    params = {"layer": {name: value.copy() for name, value in START.items()}}
    state = rule.init(params)
    for _ in range(steps):
        value, grads = quadratic(params)
        extra = {"value": value, "value_and_grad": quadratic, "value_fn": lambda p: quadratic(p)[0]}
        updates, state = rule.update(grads, state, params, **extra)
        params = {"layer": {name: params["layer"][name] + updates["layer"][name] for name in START}}
        yield params["layer"], rule.eval_params(state, params)["layer"]


@pytest.mark.parametrize("name", CASES)
def test_steps_as_numpy_does(name):
    params = {key: torch.tensor(value, requires_grad=True) for key, value in START.items()}
    curvature = {key: torch.tensor(value) for key, value in CURVATURE.items()}
    optimizer = TorchOptimizer([(f"layer.{key}", p) for key, p in params.items()], CASES[name]())

    def closure():
        optimizer.zero_grad()
        loss = sum((curvature[key] * (1 + p**2).sqrt()).sum() for key, p in params.items())
        loss.backward()
        return loss

    for wanted, wanted_average in in_numpy(CASES[name](), 12):
        optimizer.step(closure)
        with optimizer.evaluating():
            average = {key: p.detach().numpy().copy() for key, p in params.items()}
        for key, p in params.items():
            np.testing.assert_allclose(p.detach().numpy(), wanted[key], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(average[key], wanted_average[key], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("rule", "peer"),
    [
        (Adam(0.01), lambda groups: torch.optim.Adam(groups, 0.01)),
        (SGD(0.01, momentum=0.9), lambda groups: torch.optim.SGD(groups, 0.01, momentum=0.9)),
    ],
    ids=["Adam", "SGD"],
)
def test_parameters_come_and_go_as_in_pytorch(rule, peer):
    """Gradients that are `None` now and then, and from the start; groups with rates of their own."""
    ours, theirs = network(), network()
    groups = [[{"params": list(model[0].parameters())}, {"params": list(model[2].parameters()), "lr": 0.1}]
              for model in (ours, theirs)]
    pairs = (ours, TorchOptimizer(groups[0], rule)), (theirs, peer(groups[1]))
    for step in range(12):
        for model, optimizer in pairs:
            backward(model, optimizer, step)
            if step < 5 or step % 3 == 0:
                model[2].weight.grad = None
            optimizer.step()
        assert apart(values(ours), values(theirs)) < 1e-12


def test_a_rule_for_a_group():
    x, y, z = single(), single(), single()
    groups = [{"params": [x]}, {"params": [y], "rule": SGD(0.1)}, {"params": [z], "rule": SGD(0.1), "lr": 0.2}]
    optimizer = TorchOptimizer(groups, Adam(0.5))
    optimizer.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1, 0.2]
    wanted = ([0.5, -2.5], [0.95, -2.025], [0.9, -2.05])
    for p, value in zip((x, y, z), wanted, strict=True):
        np.testing.assert_allclose(p.detach(), value, rtol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats(dtype):
    """Each parameter keeps its dtype, beside others, and goes where it goes in float32, as far as it can tell."""
    model, wide = network(torch.float32), network(torch.float32)
    model[0].to(dtype)
    optimizer = TorchOptimizer(model.parameters(), SGD(0.125, momentum=0.5))
    reference = TorchOptimizer(wide.parameters(), SGD(0.125, momentum=0.5))
    for _ in range(3):
        for p, q in zip(model.parameters(), wide.parameters(), strict=True):
            p.grad, q.grad = torch.full_like(p, 0.25), torch.full_like(q, 0.25)
        optimizer.step()
        reference.step()
    assert [p.dtype for p in model.parameters()] == [dtype, dtype, torch.float32, torch.float32]
    assert [optimizer.state[p]["velocity"].dtype for p in model.parameters()] == [p.dtype for p in model.parameters()]
    assert apart(values(model), values(wide)) < 2 * torch.finfo(dtype).eps


# ---------------------------------------------------------------------------------------------- learning rates


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9, cycle_momentum=False),
        lambda optimizer: torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3),
             torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)],
            milestones=[3],
        ),
    ],
    ids=["StepLR", "LambdaLR", "OneCycleLR", "SequentialLR"],
)
def test_schedulers_of_pytorch(scheduler):
    ours, theirs = network(), network()
    optimizer, peer = TorchOptimizer(ours.parameters(), Adam(0.05)), torch.optim.Adam(theirs.parameters(), 0.05)
    after = trained(ours, optimizer, 8, scheduler(optimizer))
    assert apart(after, trained(theirs, peer, 8, scheduler(peer))) < 1e-12
    assert optimizer.param_groups[0]["lr"] == peer.param_groups[0]["lr"] != 0.05


def test_the_rate_may_be_set_by_hand():
    p = single()
    optimizer = TorchOptimizer([p], SGD(0.1))
    assert optimizer.param_groups[0]["lr"] == 0.1
    optimizer.param_groups[0]["lr"] = 0.2
    optimizer.step()
    np.testing.assert_allclose(p.detach(), [0.9, -2.05])
    optimizer.param_groups[0]["lr"] = torch.tensor(0.4)
    optimizer.step()
    np.testing.assert_allclose(p.detach(), [0.7, -2.15])


def test_several_rates_keep_their_proportion():
    weight, bias = single(), single()
    rule = optimizers.PerGroup(SGD(0.1), {"bias": SGD(0.02)})
    optimizer = TorchOptimizer([("weight", weight), ("bias", bias)], rule)
    optimizer.param_groups[0]["lr"] = 0.2
    optimizer.step()
    np.testing.assert_allclose(weight.detach(), [0.9, -2.05])
    np.testing.assert_allclose(bias.detach(), [0.98, -2.01])


@pytest.mark.parametrize("modified", [False, True])
def test_a_schedule_of_ours_shows_its_rate(modified):
    rule = SGD(schedules.Step(0.4, every=2, factor=0.5))
    p = single()
    optimizer = TorchOptimizer([p], optimizers.ClipByValue(rule, 9.0) if modified else rule)
    shown = []
    for _ in range(5):
        before = p.detach().clone()
        optimizer.step()
        shown.append(optimizer.param_groups[0]["lr"])
        np.testing.assert_allclose(before - p.detach(), shown[-1] * p.grad)
    np.testing.assert_allclose(shown, [0.4, 0.4, 0.2, 0.2, 0.1])


SCHEDULED = "the learning rate of group 0 was set from outside, but the group has SGD, whose schedule sets it"


@pytest.mark.parametrize("steps_before", [0, 2])
def test_two_schedules_are_refused(steps_before):
    def optimizer():
        made = TorchOptimizer([single()], SGD(schedules.InverseTime(0.1, 0.5)))
        for _ in range(steps_before):
            made.step()
        return made

    for first in (optimizer(), optimizer()):
        torch.optim.lr_scheduler.LambdaLR(first, lambda step: 1.0)
        with pytest.raises(InputError, match=SCHEDULED):
            first.step()
    second = optimizer()
    second.param_groups[0]["lr"] = 0.3
    with pytest.raises(InputError, match=SCHEDULED):
        second.step()


def test_what_has_no_rate_refuses_one():
    optimizer = TorchOptimizer([single()], LBFGS())
    optimizer.param_groups[0]["lr"] = 0.5
    with pytest.raises(InputError, match="the group has LBFGS, which has no learning rate"):
        optimizer.step(lambda: torch.tensor(1.0))


@pytest.mark.parametrize(
    ("group", "rule", "message"),
    [
        ({"weight_decay": 0.1}, AdamW(), "'weight_decay' is a setting of AdamW, not of a group: give the group a rule"),
        ({"lr": 0.1}, SGD(schedules.SquareRoot(1.0)), "a group with an lr of its own cannot have SGD, whose schedule"),
        ({"lr": -0.1}, SGD(), "lr must be at least 0, but is -0.1"),
        ({"lr": math.nan}, SGD(), "lr must be at least 0, but is nan"),
        ({"rule": "adam"}, SGD(), "takes an optimizer of descend's, but this is a str"),
    ],
)
def test_refuses_settings_of_a_group(group, rule, message):
    with pytest.raises(InputError, match=message):
        TorchOptimizer([{"params": [single()], **group}], rule)


def test_refuses_other_optimizers():
    for other in (torch.optim.SGD([single()]), SGD, optimizers.External(SGD())):
        with without_types(), pytest.raises(InputError, match="takes an optimizer of descend's"):
            TorchOptimizer([single()], other)


# ---------------------------------------------------------------------------------------------- closures


def test_a_closure_is_pytorchs():
    model = network()
    optimizer = TorchOptimizer(model.parameters(), Adam(0.01))
    losses = [optimizer.step(closure=lambda: backward(model, optimizer)) for _ in range(3)]
    assert losses[0] > losses[1] > losses[2]
    assert optimizer.step() is None
    assert optimizer.step(lambda: None) is None


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        (LBFGS(), "LBFGS needs the loss: "),
        (optimizers.PolyakStep(), "PolyakStep needs the loss: "),
        (optimizers.SAM(SGD(0.1)), "SAM needs a function from parameters to the loss and its gradient: "),
    ],
    ids=["LBFGS", "PolyakStep", "SAM"],
)
def test_without_a_closure_it_says_what_is_needed(rule, needs):
    optimizer = TorchOptimizer([single()], rule)
    before = copy.deepcopy(optimizer.state_dict()["param_groups"])
    with pytest.raises(InputError, match=needs + r"call step\(closure\)"):
        optimizer.step()
    assert optimizer.state_dict()["param_groups"][0]["steps"] == before[0]["steps"] == 0
    two = TorchOptimizer([{"params": [single()]}, {"params": [single()]}], rule)
    with pytest.raises(InputError, match="looks at the loss of all parameters together: give it one group"):
        two.step(lambda: torch.tensor(1.0))


def test_a_search_minimizes():
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = TorchOptimizer([x], LBFGS())

    def closure():
        optimizer.zero_grad()
        loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        loss.backward()
        return loss

    for _ in range(100):
        optimizer.step(closure)
    with optimizer.evaluating():
        np.testing.assert_allclose(x.detach(), 1.0, atol=1e-6)


def test_looking_elsewhere_leaves_gradients_and_parameters():
    """SAM's second evaluation, with a closure that zeroes gradients in place."""
    p = single((3.0, 4.0))
    optimizer = TorchOptimizer([p], optimizers.SAM(SGD(0.1), radius=0.5))

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = p.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(p.detach(), [3 - 0.66, 4 - 0.88])
    np.testing.assert_allclose(p.grad, [6.0, 8.0])


# ---------------------------------------------------------------------------------------------- which parameters


def test_leaves_alone_what_has_no_gradient():
    p, frozen, unused = single(), torch.ones(2), torch.ones(2, requires_grad=True)
    for rule in (Adam(0.1), optimizers.ClipByNorm(Adam(0.1), 1.0)):
        optimizer = TorchOptimizer([p, frozen, unused], rule)
        optimizer.step()
        assert torch.equal(frozen, torch.ones(2))
        assert torch.equal(unused.detach(), torch.ones(2))
        assert frozen not in optimizer.state
        kept = {name: copy.copy(value) for name, value in optimizer.state[p].items()}
        gradient, p.grad = p.grad, None
        optimizer.step()
        assert all(torch.equal(torch.as_tensor(optimizer.state[p][name]), torch.as_tensor(kept[name])) for name in kept)
        p.grad = gradient


def test_thawed_parameters_join():
    p, q = single(), single()
    gradient, q.grad = q.grad, None
    q.requires_grad_(False)
    optimizer = TorchOptimizer([p, q], optimizers.ClipByValue(Adam(0.1), 9.0))
    optimizer.step()
    q.requires_grad_(True)
    q.grad = gradient
    optimizer.step()
    assert apart(q.detach(), torch.tensor([1.0, -2.0])) > 0.05
    assert (optimizer.state[p]["steps"], optimizer.state[q]["steps"]) == (2, 1)


def test_empty_groups():
    p = single()
    optimizer = TorchOptimizer([{"params": []}, {"params": [p]}], optimizers.PolyakStep())
    optimizer.step(lambda: torch.tensor(1.0))
    assert apart(p.detach(), torch.tensor([1.0, -2.0])) > 0.1


def test_refuses_sparse_gradients():
    layer = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = TorchOptimizer(layer.named_parameters(), SGD(0.1))
    layer(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(InputError, match="dense gradients, but that of 'weight' is sparse: make its layer with"):
        optimizer.step()


def test_refuses_complex_parameters():
    p = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    p.grad = torch.ones_like(p)
    for rule in (SGD(0.1), optimizers.ClipByNorm(SGD(0.1), 1.0)):
        with pytest.raises(InputError, match=r"SGD cannot move parameter 'z' of dtype torch\.complex64"):
            TorchOptimizer([("z", p)], rule).step()


@optimizers._rule.rule
class Borrowing(Rule):
    """Remembers the parameter and the gradient themselves, and lets its slots change places."""

    learning_rate: float = 0.5

    @property
    def slots(self):
        return ("start", "gradient", "before")

    def slot_start(self, name):
        return lambda p: p

    def update_parameter(self, g, p, slots, t, lr):
        start, gradient, _ = slots
        return -lr * g, (start, g, gradient)


def test_what_is_remembered_is_not_changed_in_place():
    p = single()
    optimizer = TorchOptimizer([p], Borrowing())
    optimizer.step()
    p.grad.mul_(2)
    optimizer.step()
    kept = optimizer.state[p]
    p.grad.zero_()
    np.testing.assert_array_equal(kept["start"], [1.0, -2.0])
    np.testing.assert_array_equal(kept["gradient"], [1.0, 0.5])
    np.testing.assert_array_equal(kept["before"], [0.5, 0.25])


def test_a_search_remembers_points_of_its_own():
    p, unused = single(), torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = TorchOptimizer([p, unused], LBFGS())
    optimizer.step(lambda: torch.tensor(1.0))
    for each in (p, unused):
        held = [value for value in optimizer.state[each].values() if isinstance(value, torch.Tensor)]
        assert held
        assert not {value.data_ptr() for value in held} & {p.data_ptr(), p.grad.data_ptr(), unused.data_ptr()}


def test_patterns_see_what_has_no_gradient_yet():
    weight, bias = single(), torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = TorchOptimizer([("weight", weight), ("bias", bias)], optimizers.PerGroup(SGD(0.1), {"bias": SGD(0.5)}))
    optimizer.step()
    bias.grad = torch.ones_like(bias)
    optimizer.step()
    np.testing.assert_allclose(weight.detach(), [0.9, -2.05])
    np.testing.assert_allclose(bias.detach(), [0.5, 0.5])


# ---------------------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("rule", [optimizers.ScheduleFreeSGD(0.1), optimizers.EMA(SGD(0.1), decay=0.5)], ids=repr)
def test_evaluates_the_average(rule):
    p = single()
    optimizer = TorchOptimizer([p], rule)
    optimizer.eval()
    optimizer.step()  # nothing is remembered yet, so nothing was put away
    for _ in range(3):
        optimizer.step()
    training = p.detach().clone()
    with optimizer.evaluating():
        average = p.detach().clone()
        assert apart(average, training) > 1e-3
        with optimizer.evaluating():
            assert torch.equal(p.detach(), average)
        assert torch.equal(p.detach(), average)
        with pytest.raises(InputError, match=r"those for evaluation: call optimizer.train\(\) before step\(\)"):
            optimizer.step()
    assert torch.equal(p.detach(), training)
    with pytest.raises(KeyError), optimizer.evaluating():
        raise KeyError
    assert torch.equal(p.detach(), training)
    optimizer.eval()
    optimizer.eval()
    assert torch.equal(p.detach(), average)
    optimizer.train()
    optimizer.train()
    assert torch.equal(p.detach(), training)
    optimizer.step()


def test_a_rule_without_an_average_evaluates_where_it_is():
    p = single()
    optimizer = TorchOptimizer([p], Adam(0.1))
    optimizer.step()
    optimizer.eval()
    optimizer.step()
    assert optimizer.state[p]["steps"] == 2


# ---------------------------------------------------------------------------------------------- PyTorch's own


def test_importing_descend_leaves_pytorch_alone():
    code = "import descend, sys; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_pytorch_it_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; import descend; import descend.torch"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "ImportError: descend.torch needs PyTorch: pip install 'descend[torch]'" in done.stderr


def test_is_an_optimizer_of_pytorchs():
    model = network()
    optimizer = TorchOptimizer(model.parameters(), AdamW(0.1))
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert "rule: AdamW(learning_rate=0.1" in repr(optimizer)
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    trained(model, optimizer, 1)
    assert calls == ["before", "after"]
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_groups_may_be_added():
    first, second = single(), single()
    optimizer = TorchOptimizer([first], Adam(0.1))
    optimizer.step()
    optimizer.add_param_group({"params": [second], "lr": 0.5})
    optimizer.step()
    np.testing.assert_allclose(second.detach(), [0.5, -2.5], rtol=1e-6)
    assert optimizer.param_groups[1]["steps"] == 1


@pytest.mark.parametrize("rule", [Adam(0.1), optimizers.EMA(AdamW(0.1), decay=0.5)], ids=["rule", "modifier"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_go_on_alike(rule, copied):
    model = network()
    optimizer = TorchOptimizer([{"params": model[0].parameters()}, {"params": model[2].parameters(), "rule": SGD(0.5)}],
                               rule)
    trained(model, optimizer, 3)
    optimizer.eval()
    other_model, other = copied((model, optimizer))
    before = values(model)
    optimizer.train()
    other.train()
    assert torch.equal(trained(other_model, other, 3), trained(model, optimizer, 3))
    assert apart(before, values(model)) > 0.01


def test_clipping_and_scaling_as_with_pytorchs():
    """`clip_grad_norm_` and `GradScaler`, which leaves out a step whose gradients are not finite."""
    ours, theirs = network(), network()
    pairs = (ours, TorchOptimizer(ours.parameters(), Adam(0.01))), (theirs, torch.optim.Adam(theirs.parameters(), 0.01))
    for model, optimizer in pairs:
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        for step in range(6):
            optimizer.zero_grad()
            x, y = batch(model, step)
            scaler.scale((model(x) - y).square().mean()).backward()
            if step == 2:
                model[0].weight.grad[0, 0] = math.inf
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            scaler.step(optimizer)
            scaler.update()
    assert apart(values(ours), values(theirs)) < 1e-12
    assert pairs[0][1].state[ours[0].weight]["steps"] == 5


def test_within_a_compiled_step():
    p, q = single(), single()
    optimizer, peer = TorchOptimizer([p], Adam(0.01)), torch.optim.Adam([q], 0.01)

    @torch.compile(backend="eager")
    def step():
        p.grad.mul_(0.5)
        optimizer.step()
        p.grad.mul_(2.0)

    for _ in range(2):
        step()
        peer.step()
    assert apart(p.detach(), q.detach()) < 1e-7  # Adam's steps do not depend on the gradient's scale, but for ε


def test_wrapped_as_lightning_does():
    """Its wrapper calls `step(closure=...)`, and moves what is remembered to a device, value by value."""
    model = network()
    optimizer = TorchOptimizer(model.parameters(), optimizers.EMA(Adam(0.01), decay=0.9))

    class Wrapper(TorchOptimizer):
        def __init__(self, wrapped):
            self.__dict__ = {**wrapped.__dict__, "wrapped": wrapped}

        def step(self, closure=None):
            return self.wrapped.step(closure=closure)

    wrapper, reference = Wrapper(optimizer), network()
    assert isinstance(wrapper, torch.optim.Optimizer)
    for step in range(4):
        wrapper.step(closure=lambda step=step: backward(model, wrapper, step))
        for p, own in optimizer.state.items():
            optimizer.state[p] = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in own.items()}
    wanted = trained(reference, TorchOptimizer(reference.parameters(), Adam(0.01)), 4)
    assert torch.equal(values(model), wanted)
