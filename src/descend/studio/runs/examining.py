"""What is found out about a run on demand: what went wrong in it, how its loss looks, and how it curves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from descend.errors import InputError
from descend.insight import Diagnosis, Examination, examine, landscape, spectrum
from descend.studio.runs.trainings import BEGINNING, CHECKPOINT, once_more

PLANE_POINTS = 21
CURVE_POINTS = 400
# Steps of a replay that is shown, between two frames.
PIECES = 20


@dataclass(frozen=True)
class Looked:
    """What was found: how many columns the numbers have, facts to be told beside them, and the numbers."""

    facts: dict[str, Any]
    numbers: np.ndarray


class Examiner:
    """The examinations of one page: the last one, of which diagnoses can be replayed."""

    def __init__(self, data: tuple[Path, ...]) -> None:
        self.data = data
        self._found: tuple[int, Examination] | None = None

    def examined(self, number: int, folder: Path, seconds: float) -> list[dict[str, Any]]:
        """What the doctor found of a run, as the page tells of it.

        **Raises** `InputError` as `once_more` and `examine` do.
        """
        start = once_more(folder, self.data, BEGINNING)
        found = examine(start.run, start.judged, seconds=seconds)
        self._found = number, found
        return [_told(diagnosis) for diagnosis in found.diagnoses]

    def replayed(self, number: int, diagnosis: int) -> Iterator[tuple[int, np.ndarray]]:
        """The descent as it was, 0, and with the change of a diagnosis, 1: rows of a step and a loss, bit by bit.

        **Raises** `InputError` for what was not examined, or is no matter of a change.
        """
        if self._found is None or self._found[0] != number:
            raise InputError("this run was not examined last: examine it again")
        found = self._found[1]
        change = found.diagnoses[diagnosis].change if diagnosis < len(found.diagnoses) else None
        if change is None:
            raise InputError("this was found by counting, or is explained by another: there is nothing to replay")
        runs = [found.case.start, change.make(found.case.start)]
        for _ in range(PIECES):
            for which, run in enumerate(runs):
                runs[which], trace = run.advance(max(1, round(found.steps / PIECES)))
                losses = trace.columns.get("loss", np.zeros(0))
                yield which, np.column_stack([trace.start + np.arange(len(losses)), losses])

    def landscape(self, folder: Path) -> Looked:
        """The loss on a plane through where the run stands, in two random directions."""
        seen = landscape(once_more(folder, self.data, CHECKPOINT).run, points=PLANE_POINTS)
        window = [float(end) for axis in (seen.x, seen.y) if axis is not None for end in (axis[0], axis[-1])]
        return Looked({"size": [PLANE_POINTS, PLANE_POINTS], "window": window, "caption": seen.caption}, seen.loss)

    def spectrum(self, folder: Path) -> Looked:
        """The density of the Hessian's eigenvalues where the run stands, over the curvature."""
        seen = spectrum(once_more(folder, self.data, CHECKPOINT).run)
        low, high = min(v[0] for v in seen.values), max(v[-1] for v in seen.values)
        at = np.linspace(low - 4 * seen.width, high + 4 * seen.width, CURVE_POINTS)
        # What is far below one eigenvalue of all is no eigenvalue.
        density = np.maximum(seen.density(at)[0], 1e-3 / (seen.size * seen.width))
        ends = [seen.smallest.value, seen.largest.value]
        return Looked({"ends": ends, "caption": seen.caption}, np.column_stack([at, density]))

    def close(self) -> None:
        """Let go of what was found."""
        self._found = None


def _told(diagnosis: Diagnosis) -> dict[str, Any]:
    return {"name": diagnosis.name, "verdict": diagnosis.verdict, "sentence": diagnosis.sentence,
            "symptoms": diagnosis.symptoms, "line": diagnosis.line, "replay": str(diagnosis.replay or ""),
            "change": diagnosis.change.words if diagnosis.change else ""}
