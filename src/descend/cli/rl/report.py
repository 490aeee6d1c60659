"""The report of a policy's training: one HTML file that needs no network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from descend._figures import CHECKED, COLOUR
from descend.engine.history import History
from descend.insight.verdict import Verdict
from descend.rl.playing import Episode
from descend.tasks.common.page import MARGIN, STYLE
from descend.tasks.common.section import verdict_section

MOST_POINTS = 1000
PANELS = {"episode_return": "return", "episode_length": "length of episodes", "entropy": "entropy",
          "approx_kl": "KL divergence", "value_loss": "critic's error"}
BAND = "rgba(76, 120, 168, 0.2)"
NOT_SAVED = ("The environment was played by Gymnasium, whose own state is not in a checkpoint: a training that is "
             "resumed begins new episodes, and is not, bit for bit, the one that was never interrupted.")


def render(
    facts: dict[str, Any], history: History, histories: Sequence[History], episode: Episode, per_update: float
) -> str:
    """The report as a page: score, an episode, curves, the facts; `history` is of the policy that is shown."""
    name = escape(facts["environment"])
    figure = _curves(history.validation, histories, facts["solved_at"], per_update)
    curves = figure.to_html(full_html=False, include_plotlyjs=True, config={"displayModeBar": False})
    told = [(escape(key.replace("_", " ")), escape(_plain(value))) for key, value in facts.items()]
    rows = "".join(f"<tr><th>{key}<td>{value}" for key, value in told)
    aim = "" if facts["solved_at"] is None else f" It counts as solved at {facts['solved_at']:g}."
    several = ""
    if "seeds" in facts:
        several = (f"<p>This is the best of {len(facts['seeds'])} seeds, whose median is {facts['median']:.4g}; they "
                   f"earn from {facts['lowest']:.4g} to {facts['highest']:.4g}.")
    verdict = verdict_section(Verdict(tuple(facts.get("verdict", ()))))
    stands_out = "".join(f"<h2>{section.heading}</h2>{section.html}" for section in verdict)
    unsaved = f"<p class=note>{NOT_SAVED}" if facts["played"] == "by Gymnasium" else ""
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>{name}</title>
<style>{STYLE} img {{ border: 1px solid #eee; max-width: 100% }}</style>
<h1>A policy for {name}</h1>
<p class=score>mean return {facts["mean_return"]:.4g}</p>
<p>over {facts["episodes"]} episodes after the training, which spread by ±{facts["standard_deviation"]:.2g}.{aim}</p>
{several}
<h2>An episode</h2>{_shown(episode)}
<h2>How the training went</h2><p class=note>Stopped by {escape(facts["reason"])}: {escape(facts["evidence"])}.</p>
{curves}
{stands_out}
{unsaved}
<h2>All facts</h2><table>{rows}</table>
</html>
"""


def _shown(episode: Episode) -> str:
    told = f"<p class=note>It earned {episode.earned:.6g} in {episode.length:,} steps.</p>"
    if episode.film is None:
        return f"{told}<p class=note>The environment cannot be drawn.</p>"
    picture = b64encode(episode.film.gif()).decode()
    return f'<img alt="an episode" src="data:image/gif;base64,{picture}">{told}'


def _curves(
    checks: dict[str, list[float]], histories: Sequence[History], solved_at: float | None, per_update: float
) -> go.Figure:
    """What was recorded, over the steps in the environment; of several seeds the median, between the extremes."""
    x, columns = _together([_by_rollout(history) for history in histories])
    figure = make_subplots(rows=len(columns), shared_xaxes=True, vertical_spacing=0.12 / len(columns))
    for row, (name, column) in enumerate(columns.items(), start=1):
        place = {"showlegend": row == 1, "row": row, "col": 1}
        if column.shape[1] > 1:
            figure.add_scatter(x=np.concatenate([x, x[::-1]]), y=_edges(column), fill="toself", fillcolor=BAND,
                               line={"width": 0}, hoverinfo="skip", name="all seeds", **place)
        figure.add_scatter(x=x, y=np.median(column, axis=1), mode="lines", line={"color": COLOUR, "width": 1.5},
                           name="in training, about the last 100 episodes", **place)
        figure.update_yaxes(title=PANELS[name], row=row, col=1)
    if checks:
        counts = [round(count) for count in checks["episodes"]]
        figure.add_scatter(x=np.array(checks["step"]) * per_update, y=checks["return"], mode="lines+markers",
                           line={"color": CHECKED, "width": 1.5}, name=f"evaluated: {_from_to(counts)} episodes",
                           text=[f"of {count} episodes" for count in counts], row=1, col=1)
    if solved_at is not None:
        figure.add_hline(y=solved_at, line={"dash": "dot", "color": "#888"}, row=1, col=1)
    figure.update_xaxes(title="steps in the environment", row=len(columns), col=1)
    above = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
    figure.layout.template = "plotly_white"
    return figure.update_layout(height=190 * len(columns) + 80, legend=above, margin=MARGIN)


def _from_to(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _edges(columns: np.ndarray) -> np.ndarray:
    """The lowest of several from left to right, and the highest on the way back."""
    return np.concatenate([columns.min(axis=1), columns.max(axis=1)[::-1]])


def _together(members: Sequence[dict[str, np.ndarray]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The steps of the longest training, and the columns of all at these, side by side; one that has ended stays as it
    was."""
    steps = [member.pop("environment_steps") for member in members]
    x = max(steps, key=lambda each: each[-1])
    at_x = lambda name: [np.interp(x, own, member[name]) for own, member in zip(steps, members, strict=True)]
    return x, {name: np.stack(at_x(name), axis=1) for name in members[0]}


def _by_rollout(history: History) -> dict[str, np.ndarray]:
    """The mean of each column over the updates by a rollout, of evenly chosen rollouts if there are many."""
    found, begins, counts = np.unique(history["environment_steps"], return_index=True, return_counts=True)
    chosen = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_POINTS)).astype(int))
    columns = {"environment_steps": found[chosen]}
    for name in (name for name in PANELS if name in history.columns):
        columns[name] = (np.add.reduceat(history[name].astype(float), begins) / counts)[chosen]
    return columns


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
