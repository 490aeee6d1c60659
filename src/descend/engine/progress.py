"""How far a descent has come: what observers are told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from descend.stopping import Best, Reason


@dataclass(frozen=True)
class Progress:
    """How far a descent has come.

    `step` and `steps`: made, and at most to make (`None` if only time is limited). `epoch`: epochs seen, `None` without
    data. `latest`: the last step's entries in the trace. `validation`: the last validation's values, empty before the
    first. `best`: the best validation. `seconds`: of training, those before a resume included. `steps_per_second`:
    lately. `eta`: seconds until the budget is spent, if that can be said. `reason`: `None` until the end. `tried`:
    while a learning rate is looked for, before the first step, how many were tried, and of how many.
    """

    step: int
    steps: int | None
    epoch: float | None
    latest: Mapping[str, Any]
    validation: Mapping[str, float]
    best: Best
    seconds: float
    steps_per_second: float
    eta: float | None
    reason: Reason | None
    tried: tuple[int, int] | None = None


Observer = Callable[[Progress], Any]


@runtime_checkable
class EndObserver(Protocol):
    """An observer that is also told what came of the descent, once it has ended."""

    def __call__(self, progress: Progress) -> Any:
        """Take note of how far it has come."""

    def ended(self, result: Any) -> None:
        """Take note of the `descend.Result`."""
