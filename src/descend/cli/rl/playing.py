"""`descend rl play`: watch a trained policy."""

from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Argument, Option

from descend._files import write_atomically
from descend.cli._console import write
from descend.errors import InputError
from descend.rl import Policy
from descend.rl.playing import play as played


def play(
    run: Annotated[Path, Argument(help="The folder that descend rl wrote.")],
    episodes: Annotated[int, Option(help="How many to play.")] = 10,
    seed: Annotated[int, Option(help="The same plays the same.")] = 0,
    out: Annotated[Path | None, Option("--out", "-o", help="Write the first one there, as a GIF.")] = None,
    environment: Annotated[str | None, Option(help="What to play in, by default the policy's; or module:id.")] = None,
) -> None:
    """Play episodes by what a policy has learnt, and say what they earned."""
    if episodes < 1:
        raise InputError(f"--episodes must be at least 1, but is {episodes}")
    if out is not None and out.suffix.lower() != ".gif":
        raise InputError(f"{out} would be a GIF by another name: end it with .gif")
    policy = _policy(run)
    shown = played(policy, episodes, seed, environment)
    for number, episode in enumerate(shown, start=1):
        write(f"episode {number:>{len(str(episodes))}}  return {episode.earned:>8.6g}  {episode.length:>5,} steps")
    returns = np.array([episode.earned for episode in shown])
    write(f"mean return {returns.mean():.6g} ± {returns.std():.3g}")
    if out is not None:
        film = shown[0].film
        if film is None:
            raise InputError(f"{policy.environment} cannot be drawn: leave out -o")
        write_atomically(out, film.gif())
        write(f"wrote {out}")


def _policy(run: Path) -> Policy:
    file = run / "policy.safetensors"
    if file.exists():
        return Policy.load(file)
    if not run.is_dir():
        raise InputError(f"there is no folder {run}: give the folder that descend rl wrote")
    begun = (run / "run.json").exists()
    hint = "its training did not end; go on with descend rl … --resume" if begun else "it is no run's folder"
    raise InputError(f"{run} has no policy: {hint}")
