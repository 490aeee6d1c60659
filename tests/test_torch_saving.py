"""States of `TorchOptimizer` that are saved and loaded: exact to the bit, by name, and never those of another."""

import copy
import io
import os

import pytest

from descend import optimizers, schedules
from descend.errors import InputError
from descend.optimizers import SGD, Adam, AdamW
from descend.optimizers.quasi_newton import LBFGS

torch = pytest.importorskip("torch", reason="steps PyTorch's models: pip install 'descend[peers]'")

from descend.torch import Loaded, TorchOptimizer  # noqa: E402
from test_torch import apart, network, single, trained, values  # noqa: E402  # which needs PyTorch

pytestmark = pytest.mark.peers

RULES = {
    "SGD": SGD(schedules.Cosine(0.1, steps=9)),
    "Adam": Adam(0.05),
    "Adafactor": optimizers.Adafactor(0.05),
    "Prodigy": optimizers.Prodigy(),
    "ScheduleFreeAdamW": optimizers.ScheduleFreeAdamW(0.05),
    "DoG of layers": optimizers.DoG(layerwise=True),
    "EMA": optimizers.EMA(AdamW(0.05), decay=0.9),
    "SAM": optimizers.SAM(SGD(0.05, momentum=0.9)),
    "PerGroup": optimizers.PerGroup(Adam(0.05), {"*/bias": SGD(0.1, momentum=0.9)}),
    "LBFGS": LBFGS(),
}


def saved(value):
    """A value through a file, which may hold nothing but tensors, numbers, strings and containers of them."""
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", RULES)
def test_resumes_bit_for_bit(name, dtype):
    model = network(dtype)
    optimizer = TorchOptimizer(model.named_parameters(), RULES[name])
    trained(model, optimizer, 3)
    kept = saved({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    wanted = trained(model, optimizer, 4)
    other = network(dtype, seed=7)
    resumed = TorchOptimizer(other.named_parameters(), RULES[name])
    trained(other, resumed, 1)
    other.load_state_dict(kept["model"])
    assert resumed.load_state_dict(kept["optimizer"]).complete
    assert torch.equal(trained(other, resumed, 4), wanted)


@pytest.mark.parametrize("model_first", [True, False])
@pytest.mark.parametrize("name", ["ScheduleFreeAdamW", "EMA", "LBFGS"])
def test_saved_while_evaluating_it_resumes_where_it_trained(name, model_first):
    model = network()
    optimizer = TorchOptimizer(model.named_parameters(), RULES[name])
    trained(model, optimizer, 4)
    training = values(model)
    optimizer.eval()
    kept = saved({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    average = values(model)
    assert not torch.equal(average, training)
    other = network(seed=7)
    resumed = TorchOptimizer(other.named_parameters(), RULES[name])
    loads = [lambda: other.load_state_dict(kept["model"]), lambda: resumed.load_state_dict(kept["optimizer"])]
    for load in loads if model_first else reversed(loads):
        load()
    assert torch.equal(values(other), average)
    with pytest.raises(InputError, match=r"call optimizer.train\(\) before step\(\)"):
        trained(other, resumed, 1)
    resumed.train()
    assert torch.equal(values(other), training)
    optimizer.train()
    assert torch.equal(trained(other, resumed, 3), trained(model, optimizer, 3))


def test_is_in_pytorchs_form():
    model = network()
    optimizer = TorchOptimizer(model.named_parameters(), Adam(0.05))
    assert optimizer.state_dict()["state"] == {}
    trained(model, optimizer, 2)
    kept = optimizer.state_dict()
    assert kept["state"].keys() == {0, 1, 2, 3}
    assert kept["state"][0].keys() == {"steps", "mean", "mean_square"}
    (group,) = kept["param_groups"]
    assert group["params"] == [0, 1, 2, 3]
    assert group["param_names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert (group["lr"], group["steps"], group["rule"]) == (0.05, 2, repr(Adam(0.05)))


def test_what_is_loaded_is_a_copy():
    model = network()
    optimizer = TorchOptimizer(model.named_parameters(), optimizers.Prodigy())
    trained(model, optimizer, 2)
    kept = copy.deepcopy(optimizer.state_dict())
    before = copy.deepcopy(kept)
    optimizer.load_state_dict(kept)
    trained(model, optimizer, 2)
    for number, own in before["state"].items():
        for name, value in own.items():
            assert torch.equal(torch.as_tensor(kept["state"][number][name]), torch.as_tensor(value))
    assert kept["param_groups"][0]["shared"] == before["param_groups"][0]["shared"]


def test_the_rate_is_loaded():
    optimizer = TorchOptimizer([single()], Adam(0.05))
    optimizer.param_groups[0]["lr"] = 0.01
    kept = optimizer.state_dict()
    other = TorchOptimizer([single()], Adam(0.05))
    other.load_state_dict(kept)
    assert other.param_groups[0]["lr"] == 0.01


def test_what_had_no_state_has_none_then():
    fresh = TorchOptimizer([single()], Adam(0.05)).state_dict()
    p = single()
    optimizer = TorchOptimizer([p], Adam(0.05))
    optimizer.step()
    optimizer.load_state_dict(fresh)
    assert p not in optimizer.state
    assert optimizer.param_groups[0]["steps"] == 0


def renamed(model, names):
    return [(names.get(name, name), p) for name, p in model.named_parameters()]


def test_reordered_parameters_are_found_by_name():
    model, other = network(), network()
    optimizer = TorchOptimizer(model.named_parameters(), Adam(0.05))
    trained(model, optimizer, 3)
    other.load_state_dict(model.state_dict())
    backwards = TorchOptimizer(list(other.named_parameters())[::-1], Adam(0.05))
    assert backwards.load_state_dict(optimizer.state_dict()).matched == ("2.bias", "2.weight", "0.bias", "0.weight")
    assert torch.equal(trained(other, backwards, 3), trained(model, optimizer, 3))


def test_what_was_renamed_is_refused_or_left_out():
    model, other = network(), network()
    optimizer = TorchOptimizer(model.named_parameters(), Adam(0.05))
    trained(model, optimizer, 3)
    resumed = TorchOptimizer(renamed(other, {"2.weight": "head.weight", "2.bias": "head.bias"}), Adam(0.05))
    before = copy.deepcopy(resumed.state_dict())
    with pytest.raises(InputError) as error:
        resumed.load_state_dict(optimizer.state_dict())
    assert str(error.value) == (
        "this state is of other parameters: 2 match (0.weight, 0.bias), missing: head.weight, head.bias; unexpected: "
        "2.weight, 2.bias; load_state_dict(..., strict=False) loads what matches"
    )
    assert resumed.state_dict() == before
    told = resumed.load_state_dict(optimizer.state_dict(), strict=False)
    assert told == Loaded(("0.weight", "0.bias"), ("head.weight", "head.bias"), ("2.weight", "2.bias"), ())
    assert not told.complete
    assert set(resumed.state) == {other[0].weight, other[0].bias}
    assert resumed.state[other[0].weight]["steps"] == 3


def test_other_shapes_are_refused_or_left_out():
    model = network()
    optimizer = TorchOptimizer(model.parameters(), Adam(0.05))
    trained(model, optimizer, 1)
    wider = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    resumed = TorchOptimizer(wider.parameters(), Adam(0.05))
    with pytest.raises(InputError, match=r"2 match \(0, 1\), of other shape or group: 2, 3; give .* named_parameters"):
        resumed.load_state_dict(optimizer.state_dict())
    assert resumed.load_state_dict(optimizer.state_dict(), strict=False).reshaped == ("2", "3")
    assert set(resumed.state) == {wider[0].weight, wider[0].bias}


def test_other_groups_are_refused():
    model = network()
    first, last = list(model[0].named_parameters("0")), list(model[2].named_parameters("2"))
    optimizer = TorchOptimizer([{"params": first}, {"params": last}], Adam(0.05))
    kept = optimizer.state_dict()
    with pytest.raises(InputError, match="this state has 2 groups of parameters, but the optimizer 1"):
        TorchOptimizer(first + last, Adam(0.05)).load_state_dict(kept)
    moved = TorchOptimizer([{"params": [*first, last[0]]}, {"params": [last[1]]}], Adam(0.05))
    with pytest.raises(InputError, match=r"3 match .* of other shape or group: 2.weight"):
        moved.load_state_dict(kept)


@pytest.mark.parametrize(
    ("other", "strict", "message"),
    [
        (Adam(0.05), True, r"this state is of AdaBelief\(.*, but the optimizer is Adam\("),
        (optimizers.RMSprop(0.05), False, r"RMSprop keeps \['mean_square', 'steps'\] of each parameter, but"),
        (optimizers.ClipByNorm(Adam(0.05), 1.0), False, r"ClipByNorm shares \['clip_rate', 'count'\] among parameters"),
    ],
)
def test_the_state_of_another_optimizer_is_refused(other, strict, message):
    p = single()
    optimizer = TorchOptimizer([p], optimizers.AdaBelief(0.05))
    optimizer.step()
    with pytest.raises(InputError, match=message):
        TorchOptimizer([p], other).load_state_dict(optimizer.state_dict(), strict=strict)


def test_the_state_of_pytorchs_adam_is_refused():
    p = single()
    peer = torch.optim.Adam([p])
    peer.step()
    with pytest.raises(InputError, match=r"but this state holds \['exp_avg', 'exp_avg_sq', 'step'\]"):
        TorchOptimizer([p], Adam()).load_state_dict(peer.state_dict())


def test_other_settings_of_the_same_rule_are_the_optimizers_own():
    p, q = single(), single()
    optimizer, other = TorchOptimizer([p], Adam(0.05, beta1=0.5)), TorchOptimizer([q], Adam(0.1, beta1=0.9))
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["rule"] == repr(Adam(0.1, beta1=0.9))
    assert other.param_groups[0]["lr"] == 0.05


def test_hooks_see_the_state():
    p = single()
    optimizer, seen = TorchOptimizer([p], Adam(0.05)), []

    def rename(_, state):
        seen.append("before")
        return {**state, "param_groups": [{**state["param_groups"][0], "lr": 0.5}]}

    optimizer.register_load_state_dict_pre_hook(rename)
    optimizer.register_load_state_dict_post_hook(lambda _: seen.append("after"))
    optimizer.register_state_dict_post_hook(lambda _, state: {**state, "note": 1})
    kept = optimizer.state_dict()
    optimizer.load_state_dict(kept)
    assert kept["note"] == 1
    assert seen == ["before", "after"]
    assert optimizer.param_groups[0]["lr"] == 0.5


# ---------------------------------------------------------------------------------------------- Hugging Face's Trainer


class Regression(torch.nn.Module):
    """A model as the Trainer wants it: it takes the batch's columns, and returns the loss."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))

    def forward(self, x, labels):
        predicted = self.net(x).squeeze(-1)
        return {"loss": (predicted - labels).square().mean(), "logits": predicted}


@pytest.fixture
def trainer(monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    transformers = pytest.importorskip("transformers", reason="trains with Hugging Face's Trainer")
    x = torch.randn(48, 4, generator=torch.Generator().manual_seed(0))
    rows = [{"x": row, "labels": row.sum()} for row in x]

    class Stop(transformers.TrainerCallback):
        def __init__(self, at):
            self.at = at

        def on_step_end(self, args, state, control, **_):
            control.should_training_stop = state.global_step >= self.at

    def made(name, rule, stop):
        model = Regression()
        optimizer = TorchOptimizer(model.named_parameters(), rule)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=12)
        settings = transformers.TrainingArguments(
            str(tmp_path / name), max_steps=12, per_device_train_batch_size=8, use_cpu=True, report_to=[], seed=1,
            eval_strategy="steps", eval_steps=3, save_steps=6, disable_tqdm=True, dataloader_pin_memory=False,
        )
        return transformers.Trainer(
            model, settings, train_dataset=rows, eval_dataset=rows[:16], optimizers=(optimizer, scheduler),
            callbacks=[Stop(stop)],
        )

    return made


@pytest.mark.filterwarnings("default")  # the Trainer's own
@pytest.mark.parametrize("rule", [AdamW(0.05), optimizers.ScheduleFreeAdamW(0.05)], ids=["AdamW", "ScheduleFree"])
def test_in_hugging_faces_trainer(trainer, rule, tmp_path):
    """Stopped, and resumed from a checkpoint that was saved after an evaluation, a run ends at the same bits."""
    whole = trainer("whole", rule, 12)
    whole.train()
    trainer("parts", rule, 7).train()
    resumed = trainer("parts", rule, 12)
    resumed.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-6"))
    assert torch.equal(values(resumed.model), values(whole.model))
    losses = [entry["eval_loss"] for entry in whole.state.log_history if "eval_loss" in entry]
    assert losses[-1] < losses[0]
    if isinstance(rule, optimizers.ScheduleFreeAdamW):  # the last thing was an evaluation, at the average
        average = values(whole.model)
        whole.optimizer.train()
        assert apart(values(whole.model), average) > 1e-3
