"""What a training of a policy gives back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descend.engine.history import History
from descend.engine.run import Run
from descend.rl.policy import Policy
from descend.stopping import Reason


@dataclass(frozen=True)
class Result:
    """Where a training ended, why, and how good the policy is.

    `policy`: the best of those that were evaluated on the way. `returns`: those of 100 further episodes in which it did
    what it thought best; `cut_off` of them had not ended after 10,000 steps, and count as far as they went. `reason`:
    the named reason to stop. `history`: what was recorded, per update of the network; `history.validation`: the
    evaluations on the way, and in `episodes` how many each was of: 100; in environments of Gymnasium fewer, where these
    are clearly below the threshold, and 10, where there is none. `environment_steps`: how many were made, and
    `seconds`: of training. `run`: the run as it ended, a value to keep.

    Of several seeds, `policies`, the rows of `returns` and `members`, what came of each by itself, are in their order.
    `policy`, `reason`, `history` and `run` are of the one with the best mean return, but one that was interrupted gives
    the reason. `median` is of the seeds' mean returns, and `spread` their lowest and their highest. `environment_steps`
    are those of all together.
    """

    policies: tuple[Policy, ...]
    returns: np.ndarray
    reason: Reason
    history: History
    run: Run
    seconds: float
    environment_steps: int
    members: tuple["Result", ...] = ()
    cut_off: int = 0

    @classmethod
    def of(cls, members: Sequence["Result"]) -> "Result":
        """The result of several, which were trained side by side."""
        best = max(members, key=lambda member: member.median)
        reason = next((each.reason for each in members if each.reason.name == "interrupted"), best.reason)
        return cls(
            policies=tuple(each.policy for each in members),
            returns=np.stack([each.returns for each in members]),
            reason=reason,
            history=best.history,
            run=best.run,
            seconds=max(each.seconds for each in members),
            environment_steps=sum(each.environment_steps for each in members),
            members=tuple(members),
            cut_off=sum(each.cut_off for each in members),
        )

    @property
    def means(self) -> np.ndarray:
        """The mean return of each seed's policy."""
        return np.atleast_2d(self.returns).mean(axis=1)

    @property
    def policy(self) -> Policy:
        """The policy; of several, the best."""
        return self.policies[int(self.means.argmax())]

    @property
    def median(self) -> float:
        """The median of the mean returns."""
        return float(np.median(self.means))

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest of the mean returns."""
        return float(self.means.min()), float(self.means.max())

    def __repr__(self) -> str:
        seeds = f" of {len(self.policies)} seeds, from {self.spread[0]:.6g} to {self.spread[1]:.6g}"
        return (f"Result({self.reason}; mean return {self.median:.6g}{seeds if len(self.policies) > 1 else ''} "
                f"after {self.environment_steps:,} steps in {self.seconds:.3g} s)")
