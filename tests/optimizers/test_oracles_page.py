"""`docs/oracles.md` says what each rule is held to: made from the cases that are run, so that it cannot claim more.

To write it anew: `python tests/optimizers/test_oracles_page.py`.
"""

from pathlib import Path

from references import CASES

from descend.optimizers import Modifier

PAGE = Path(__file__).parents[2] / "docs" / "oracles.md"
HEAD = """# What each optimizer is held to

Every row is made from test cases: 100 steps under a schedule on random trees of scalars, vectors, matrices and a 4-D
array, in NumPy and in a compiled JAX program, in float64 to 1e-9 and in float32 to 1e-5 of each array's largest number,
unless a case gives its reason for another tolerance. The algorithm box is that of the paper, transcribed to NumPy in
`tests/optimizers/boxes_*.py`. A peer's steps are compared with those in NumPy, in float64; and the first twelve of them
with those on PyTorch's tensors, in both.

| rule | held to | settings |
| --- | --- | ---: |
"""
OTHERS = """
Those that are no rules of one array have tests of their own, in `tests/optimizers/`:

| optimizer | held to |
| --- | --- |
| LBFGS | SciPy's L-BFGS-B, in evaluations, on the problems of Moré, Garbow and Hillstrom; the strong Wolfe conditions |
| NonlinearCG | theory: n steps on a quadratic of n dimensions; the strong Wolfe conditions |
| Backtracking | Armijo's condition |
| LBFGSB | Hock and Schittkowski's minima; SciPy's L-BFGS-B and its non-negative least squares |
| Newton | the numbers of "Dive into Deep Learning"; one step on a quadratic |
| NewtonCG | the rate that its equations' accuracy gives on a quadratic; SciPy's trust-ncg |
| LevenbergMarquardt | NIST's certified estimates and their errors, from far starts and near ones; SciPy's MINPACK |
| Muon | the paper's box; `torch.optim.Muon` and `optax.contrib.muon` |
| PolyakStep | the paper's box; `optax.polyak_sgd` |
| clipping | `torch.nn.utils.clip_grad_norm_`, `optax.clip`, `optax.adaptive_grad_clip` |
| WeightDecay | `torch.optim`'s `weight_decay`, `optax.add_decayed_weights` |
| Accumulate | one large batch; `optax.MultiSteps` |
| EMA, PolyakAverage | `torch.optim.swa_utils.AveragedModel`, `optax.ema` |
| Lookahead | the paper's box; `optax.lookahead` |
| SAM | the paper's box; `pytorch_optimizer.SAM` |
| ReduceOnPlateau | `torch.optim.lr_scheduler.ReduceLROnPlateau`, `optax.contrib.reduce_on_plateau` |
| schedules | `torch.optim.lr_scheduler`, `optax.schedules`, the formulas of their papers |
"""


def page() -> str:
    """The page as the cases have it."""
    by_rule: dict[str, list[str]] = {}
    for name, case in CASES.items():
        rule = case.rule(0.1, **case.settings)
        while isinstance(rule, Modifier):  # weight decay, where the peer has it built in
            rule = rule.rule
        by_rule.setdefault(type(rule).__name__, []).append(name)
    lines = []
    for rule, names in by_rule.items():
        cases = [CASES[name] for name in names]
        peers = {peer[0] for case in cases for peer in (case.torch, case.optax, case.keras) if peer}
        held = ["algorithm box", *sorted({named(peer) for peer in peers})]
        lines.append(f"| {rule} | {', '.join(held)} | {len(names)} |\n")
    return HEAD + "".join(lines) + OTHERS


def named(peer: str) -> str:
    """A peer's name, also of one that a test puts together."""
    package = peer.rpartition(".")[2].partition("_")[0]
    together = {"optax": "Optax, put together of its parts", "authors": "the authors' package"}
    return together[package] if peer.startswith("boxes_") else f"`{peer}`"


def test_the_page_is_what_the_cases_say():
    assert PAGE.read_text() == page(), "write it anew: python tests/optimizers/test_oracles_page.py"


if __name__ == "__main__":
    PAGE.write_text(page())
