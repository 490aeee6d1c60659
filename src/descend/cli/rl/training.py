"""`descend rl`: train a policy in an environment."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from rich.table import Table as Grid
from rich.text import Text
from typer import Argument, Option

from descend._files import write_atomically
from descend.cli._console import NO_INSIGHT, Console, say, write
from descend.cli._summary import end_as_asked, verdict_row
from descend.cli.rl.bar import PolicyBar
from descend.cli.rl.report import render
from descend.errors import InputError
from descend.insight.verdict import Verdict, Verdicts
from descend.observers import Observer, Progress
from descend.observers.progress import duration
from descend.rl import Algorithm, Result, environments
from descend.rl.algorithms import ALGORITHMS
from descend.rl.backends import backend_for
from descend.rl.evaluation import MAX_EPISODE_STEPS
from descend.rl.playing import play
from descend.tasks.common.folder import RunFolder, claimed

if TYPE_CHECKING:
    import pandas


def rl(
    environment: Annotated[str, Argument(help="An id, such as CartPole-v1; any of Gymnasium's.")],
    algorithm: Annotated[Literal["ppo", "a2c", "reinforce"], Option(help="How to improve the policy.")] = "ppo",
    steps: Annotated[int | None, Option(help="Steps to make in the environment, at the most.")] = None,
    seconds: Annotated[float | None, Option(help="Time to train, at the most.")] = None,
    seed: Annotated[int, Option(help="Of all that is random.")] = 0,
    seeds: Annotated[int | None, Option(help="Train so many policies side by side, from this seed on.")] = None,
    out: Annotated[Path | None, Option("--out", "-o", help="The run's folder; by default runs/NAME.")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    no_insight: Annotated[bool, Option("--no-insight", help=NO_INSIGHT)] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the metrics as JSON, and nothing else.")] = False,
) -> None:
    """Train a policy until it solves an environment; descend rl play shows what it does."""
    if seeds is not None and seeds < 1:
        raise InputError(f"--seeds must be at least 1, but is {seeds}")
    backend = backend_for(environment)
    settings = {"algorithm": algorithm, "steps": steps, "seconds": seconds, "seed": seed, "seeds": seeds}
    asked = {"environment": environment, "digest": environment, "settings": settings}
    folder = claimed(out, environment, asked, resume)
    console = Console(quiet=quiet or as_json)
    learner = ALGORITHMS[algorithm].tuned(environment)
    bar = [] if console.quiet else [PolicyBar(environment, console, per_update(learner))]
    judge = Verdicts()
    observers: list[Observer] = [_Begins(folder), *bar, *([] if no_insight else [judge])]
    result = learner.train(
        environment, steps=steps, seconds=seconds, seed=seed, observers=observers, resume=resume,
        seeds=None if seeds is None else range(seed, seed + seeds), checkpoint=folder.checkpoints / "rl.safetensors",
    )  # fmt: skip
    facts = _facts(result, learner, backend.solved_at, settings)
    if judge.each:
        facts["verdict"] = list(Verdict.of(judge.each).sentences)
    _write(folder, result, learner, facts)
    if as_json:
        write(json.dumps(facts, indent=2, ensure_ascii=False))
    console.print(_summary(facts, learner))
    place = shlex.quote(str(folder.path))
    # A file may not name a module.
    named = f" --environment {shlex.quote(environment)}" if ":" in environment else ""
    lines = [f"report: {folder.path / 'report.html'}", f"watch:  descend rl play {place}{named}"]
    if result.reason.name == "interrupted":
        lines.insert(0, f"go on:  the same command with --resume --out {place}")
    for line in lines:
        say(console, line)
    end_as_asked(result.reason)


def per_update(learner: Algorithm) -> float:
    """How many steps of the environment an update of the network stands for."""
    return learner.num_envs * learner.num_steps / learner.passes.updates


class _Begins:
    """Writes down what was asked for once the training begins, and not for one that is refused."""

    def __init__(self, folder: RunFolder):
        self._folder = folder

    def __enter__(self) -> "_Begins":
        self._folder.begin()
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing is left open."""

    def __call__(self, progress: Progress) -> None:
        """Nothing to do."""


def _facts(result: Result, learner: Algorithm, solved_at: float | None, settings: dict[str, Any]) -> dict[str, Any]:
    """What came of it, as JSON can hold it."""
    best = result.returns if result.returns.ndim == 1 else result.returns[int(result.means.argmax())]
    facts = {
        "environment": result.policy.environment,
        "algorithm": repr(learner),
        "played": "in JAX" if result.policy.environment in environments.ids() else "by Gymnasium",
        "mean_return": float(best.mean()),
        "standard_deviation": float(best.std()),
        "lowest_return": float(best.min()),
        "highest_return": float(best.max()),
        "episodes": len(best),
        "cut_off": result.cut_off,
        "solved_at": solved_at,
        "solved": None if solved_at is None else bool(best.mean() >= solved_at),
        "reason": result.reason.name,
        "evidence": result.reason.evidence,
        "steps": result.environment_steps,
        "updates": result.reason.step,
        "seconds": round(result.seconds, 3),
        "steps_per_second": round(result.environment_steps / max(result.seconds, 1e-9)),
        "seed": settings["seed"],
    }
    if settings["seeds"]:
        low, high = result.spread
        means = dict(zip(_seeds(settings), result.means.tolist(), strict=True))
        facts |= {"seeds": means, "median": result.median, "lowest": low, "highest": high}
    return facts


def _seeds(settings: dict[str, Any]) -> list[str]:
    return [str(settings["seed"] + i) for i in range(settings["seeds"])]


def _write(folder: RunFolder, result: Result, learner: Algorithm, facts: dict[str, Any]) -> None:
    """Write the run's files; the policy comes first, and the metrics last: where they are, the rest is."""
    (episode,) = play(result.policy, 1, facts["seed"])
    histories = [each.history for each in result.members or [result]]
    page = render(facts, result.history, histories, episode, per_update(learner))
    with folder.closing():
        result.policy.save(folder.path / "policy.safetensors")
        write_atomically(folder.path / "history.parquet", _history(result, facts).to_parquet(index=False))
        folder.write_report(page)
        folder.write_json("metrics.json", facts)


def _history(result: Result, facts: dict[str, Any]) -> "pandas.DataFrame":
    """What was recorded; of several seeds, one after the other."""
    if not result.members:
        return result.history.to_pandas()
    import pandas as pd

    frames = [each.history.to_pandas() for each in result.members]
    return pd.concat([frame.assign(seed=int(seed)) for seed, frame in zip(facts["seeds"], frames, strict=True)])


def _summary(facts: dict[str, Any], learner: Algorithm) -> Grid:
    """What came of it, in a table."""
    grid = Grid(show_header=False, box=None, padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    aim = "" if facts["solved_at"] is None else f"; solved at {facts['solved_at']:g}"
    several = "seeds" in facts
    aim += f"; {facts['cut_off']} cut off after {MAX_EPISODE_STEPS:,} steps" if facts["cut_off"] else ""
    rows = [
        ("environment", f"{facts['environment']}, played {facts['played']}"),
        ("algorithm", f"{type(learner).__name__}: rollouts of {learner.num_envs} × {learner.num_steps} steps, "
                      f"{learner.passes.updates} updates by each"),
        ("stopped", f"{facts['reason']}: {facts['evidence']}"),
        ("return", f"{facts['mean_return']:.4g} ± {facts['standard_deviation']:.2g} over {facts['episodes']} further "
                   f"episodes, from {facts['lowest_return']:.4g} to {facts['highest_return']:.4g}{aim}"),
        ("time", f"{duration(facts['seconds'])} of training, {facts['steps']:,} steps"
                 f"{' of all' if several else ''}, {facts['steps_per_second']:,} steps/s"),
    ]
    if several:
        rows.insert(4, ("seeds", f"median {facts['median']:.4g}, from {facts['lowest']:.4g} to {facts['highest']:.4g}; "
                                 f"the return above is of the best of {len(facts['seeds'])}"))
    for name, value in [*rows, *verdict_row(facts)]:
        grid.add_row(name, Text(value))
    return grid
