"""One trial of a sweep: the folder of a run, which `descend fit` with these settings would have written so far."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from descend._facts import Facts
from descend._files import write_atomically
from descend._locks import hold, release
from descend.engine.history import History
from descend.engine.storing import read_part
from descend.errors import CheckpointError
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.choosing.lanes import Trainable
from descend.tasks.common.examples import Prepared
from descend.tasks.common.fitted import Trained
from descend.tasks.common.folder import RunFolder
from descend.tasks.common.settings import Settings
from descend.tasks.sweep.judging import Judge

# In a trial's folder: what came of each round.
ROUNDS = "trial.json"


@dataclass(frozen=True)
class Round:
    """What a trial had come to at the end of a round.

    - `share`: how much of its training it was to have made. `steps`, `seconds`: what it has made.
    - `loss`: what trials are compared by, infinite where it is no number; `score`: accuracy or R². Both on the
      examples that are validated on.
    - `reason`, `evidence`: why the training ended; empty while it may go on.
    """

    share: float
    steps: int
    seconds: float
    loss: float
    score: float
    reason: str = ""
    evidence: str = ""


@dataclass(eq=False)
class Trial:
    """Settings that are tried. `varied`: those in which trials differ; `rounds`: what came of it so far."""

    folder: RunFolder
    settings: Settings
    varied: dict[str, Any]
    rounds: list[Round] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What varies, in words."""
        return self.folder.path.name

    @property
    def last(self) -> Round:
        """What came of its last round."""
        return self.rounds[-1]

    def at(self, share: float) -> Round:
        """What it had come to when so much of it was to be made."""
        return [each for each in self.rounds if each.share <= share][-1]

    def has_made(self, share: float) -> bool:
        """Whether there is nothing left to do until so much of it is made."""
        return bool(self.rounds) and (self.last.reason != "" or self.last.share >= share)

    def begin(self) -> None:
        """Write down what is tried, and read what came of it before.

        **Raises** `InputError` where something else lies in its folder, `CheckpointError` for what is damaged.
        """
        self.folder.refuse_another()
        if not (self.folder.path / "run.json").exists():
            self.folder.write_json("run.json", self.folder.asked)
        self.look()

    def look(self) -> None:
        """Read what came of it so far, in whatever process.

        **Raises** `CheckpointError` if that is damaged.
        """
        file = self.folder.path / ROUNDS
        self.rounds = _read(file) if file.exists() else []

    def further(self, candidate: Trainable[Any], prepared: Prepared, judge: Judge, share: float,
                context: TrainingContext) -> None:
        """Train until a share of it is made, from where its checkpoint stands, and write down what came of it; nothing
        is, if it was interrupted.

        **Raises** `BusyError` while another process does.
        """
        lock = self.folder.path / ".lock"
        hold(lock, self.folder.path)
        try:
            # Another process may have done so since.
            self.look()
            if self.has_made(share):
                return
            trained = candidate.fit(prepared, context)
            if not context.interrupted.is_set():
                self.rounds.append(_round(trained, judge, share))
                self.folder.write_json(ROUNDS, [_plain(each) for each in self.rounds])
        finally:
            release(lock)

    def end(self, facts: dict[str, Any], reason: str = "", evidence: str = "") -> None:
        """Write the trial's outcome; `reason`: why it goes no further, where its training did not end by itself."""
        if not self.last.reason:
            self.rounds[-1] = replace(self.last, reason=reason, evidence=evidence)
            self.folder.write_json(ROUNDS, [_plain(each) for each in self.rounds])
        if (self.folder.path / "metrics.json").exists():
            return
        # The last checkpoint alone: from there `descend fit` may still go on.
        for older in self.folder.checkpoints.glob("*.older"):
            older.unlink(missing_ok=True)
        history = self._history().to_pandas().to_parquet(index=False)
        write_atomically(self.folder.path / "history.parquet", history)
        last = _plain(self.last)
        told = {name: last[name] for name in ("reason", "evidence", "steps", "seconds")}
        self.folder.write_json("metrics.json", facts | {"score": last["loss"]} | told)

    def validations(self) -> np.ndarray:
        """Its validations: in each row a step, and the loss after it."""
        checks = self._history().validation
        return np.column_stack([checks.get("step", []), checks.get("loss", [])])

    def _history(self) -> History:
        """What was recorded by the end of its last round; nothing, of what was solved."""
        found: dict[str, np.ndarray] = {}
        for file in self.folder.checkpoints.glob("*.safetensors"):
            found, _ = read_part(file, "history/")
        return History.from_arrays({name.removeprefix("history/"): array for name, array in found.items()}, 1)


def _round(trained: Trained, judge: Judge, share: float) -> Round:
    loss, score = judge(trained)
    # At rest is no end.
    reason = "" if trained.reason.name == "interrupted" else trained.reason.name
    evidence = trained.reason.evidence if reason else ""
    return Round(share, trained.reason.step, trained.seconds, loss, score, reason, evidence)


def _plain(made: Round) -> dict[str, Any]:
    """A round as JSON, which has no word for what is not finite."""
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(made).items()}


def _read(file: Path) -> list[Round]:
    try:
        found = json.loads(file.read_bytes())
        told = [Facts(each, str(file)) for each in found]
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{file} is damaged ({error!r}): remove the trial's folder, and it is tried anew"
                              ) from None
    known = lambda facts, name, none: none if facts.any(name) is None else facts.number(name)
    return [Round(each.number("share", 0, 1), each.whole("steps"), each.number("seconds", 0),
                  known(each, "loss", math.inf), known(each, "score", -math.inf), each.text("reason"),
                  each.text("evidence")) for each in told]
