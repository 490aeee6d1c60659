"""What a run's folder says of itself: a row of the list. Its files may be anybody's, and none of them ends the list."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descend.engine.storing import read_part
from descend.errors import CheckpointError
from descend.studio.messages import told_briefly
from descend.studio.runs.folders import Glance, checkpoints

# By the first key of run.json.
KINDS = {"table": "table", "blocks": "table", "collection": "pictures or texts", "text": "language model",
         "environment": "policy"}
# By what metrics.json calls it, the first that is there.
SCORES = ("score", "perplexity", "mean_return")
MAX_JSON, MAX_TEXT = 2**22, 400
NANOSECONDS = 1e9


@dataclass(frozen=True)
class Entry:
    """A run as the list has it. `date`: when it began, in seconds since 1970; `on`: what it learns from; `fault`: what
    is wrong with its files."""

    name: str
    status: str
    date: float
    kind: str = ""
    on: str = ""
    model: str = ""
    reason: str = ""
    evidence: str = ""
    metric: str = ""
    score: float | None = None
    steps: int | None = None
    seconds: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    verdict: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    fault: str = ""


def entry_of(folder: Path, name: str, seen: Glance) -> Entry:
    """The row of a run's folder."""
    faults: list[str] = []
    asked = _read(folder / "run.json", faults)
    found = _read(folder / "metrics.json", faults) if seen.has("metrics.json") else {}
    reason, _, evidence = _text(found, "stopped").partition(": ")
    reason, evidence = _text(found, "reason") or reason, _text(found, "evidence") or evidence
    kind = next((key for key in KINDS if key in asked), "")
    if not (kind or faults):
        faults.append("run.json does not say what was trained")
    scored = next((key for key in SCORES if key in found), "")
    steps, seconds = _number(found, "steps"), _number(found, "seconds")
    if seen.is_running or not found:
        steps, seconds = _so_far(folder)
    return Entry(
        name=name,
        status=_status(seen, found, reason),
        date=(seen.files[0] or (0, 0))[0] / NANOSECONDS,
        kind=KINDS.get(kind, ""),
        on=_text(asked, kind),
        model=_text(found, "model"),
        reason=reason,
        evidence=evidence,
        metric=_text(found, "metric") or {"mean_return": "mean return"}.get(scored, scored),
        score=_number(found, scored),
        steps=None if steps is None else int(steps),
        seconds=seconds,
        settings=_settings(asked),
        verdict=tuple(line[:MAX_TEXT] for line in _list(found, "verdict") if isinstance(line, str)),
        pages=tuple(page for page in ("report", "doctor") if seen.has(f"{page}.html")),
        fault="; ".join(faults),
    )


def _status(seen: Glance, found: dict[str, Any], reason: str) -> str:
    """Running, as long as a process has the lock; else interrupted, unless it came to an end of its own."""
    if seen.is_running:
        return "running"
    return "finished" if found and reason != "interrupted" else "interrupted"


def _so_far(folder: Path) -> tuple[float | None, float | None]:
    """The steps and the seconds of the checkpoint that came farthest."""
    so_far: list[tuple[float, float]] = []
    for file in checkpoints(folder):
        try:
            arrays, facts = read_part(file, "state/step")
            so_far.append((float(arrays["state/step"]), float(facts["seconds"])))
        except (CheckpointError, KeyError, TypeError, ValueError):
            # It is being begun, or is no checkpoint: what is wrong with it is said when its curve is asked for.
            continue
    return max(so_far, default=(None, None))


def _read(file: Path, faults: list[str]) -> dict[str, Any]:
    """A JSON object of a file; what is wrong with it is told in `faults`."""
    try:
        if file.stat().st_size > MAX_JSON:
            raise ValueError(f"it has more than {MAX_JSON:,} bytes")
        found = json.loads(file.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError, RecursionError) as error:
        faults.append(f"{file.name} is damaged ({told_briefly(str(error))[1:-1]})")
        return {}
    return found


def _settings(asked: dict[str, Any]) -> dict[str, Any]:
    """What was settled, as pairs of a name and a short value, and what the data are known by."""
    digest = _text(asked, "digest")[:12]
    settled = asked.get("settings")
    pairs = {**(settled if isinstance(settled, dict) else {}), **({"data": digest} if digest else {})}
    return {str(name)[:60]: _plain(value) for name, value in list(pairs.items())[:100]}


def _plain(value: Any) -> Any:
    """A value as a page can show it."""
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    return value[:MAX_TEXT] if isinstance(value, str) else told_briefly(value)


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _number(found: dict[str, Any], name: str) -> float | None:
    value = found.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if is_number else None  # type: ignore[arg-type]  # looked at above


def _list(found: dict[str, Any], name: str) -> list[Any]:
    value = found.get(name)
    return value[:50] if isinstance(value, list) else []
