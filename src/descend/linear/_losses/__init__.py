"""The losses of linear models: a module each, with the compiled functions of one row's score; see `_losses.loss`.

What they are made of is found by whoever asks a loss, never by its name: a module like these is all that another one
takes.

| loss | ℓ(z, y) | y | p |
| --- | --- | --- | --- |
| squared | (z − y)²/2 | a number | |
| logistic | log(1 + exp(−yz)) | ±1 | |
| hinge | max(0, 1 − yz), smoothed by mu | ±1 | |
| squared hinge | max(0, 1 − yz)² | ±1 | |
| huber | μ + μ H((z − y)/μ), H(u) = u² up to p, then 2p·abs(u) − p² | a number | p |
| pinball | (y − z) p or (z − y)(1 − p), smoothed by mu | a number | quantile |
| poisson | exp(z) − yz + y log y − y | a count | |
| gamma | y exp(−z) − 1 + z − log y | above 0 | |
| tweedie | exp(qz)/q + y exp(−(1 − q) z)/(1 − q) − y^q/(q (1 − q)), q = 2 − p | at least 0 | power |
| insensitive | max(0, abs(z − y) − p), smoothed by mu | a number | width |
| squared insensitive | max(0, abs(z − y) − p)² | a number | width |
"""

from descend.linear._losses.gamma import KIND as GAMMA
from descend.linear._losses.hinge import KIND as HINGE
from descend.linear._losses.huber import KIND as HUBER
from descend.linear._losses.insensitive import KIND as INSENSITIVE
from descend.linear._losses.logistic import KIND as LOGISTIC
from descend.linear._losses.loss import Loss
from descend.linear._losses.pinball import KIND as PINBALL
from descend.linear._losses.poisson import KIND as POISSON
from descend.linear._losses.squared import KIND as SQUARED
from descend.linear._losses.squared_hinge import KIND as SQUARED_HINGE
from descend.linear._losses.squared_insensitive import KIND as SQUARED_INSENSITIVE
from descend.linear._losses.tweedie import KIND as TWEEDIE

__all__ = ["GAMMA", "HINGE", "HUBER", "INSENSITIVE", "LOGISTIC", "PINBALL", "POISSON", "SQUARED", "SQUARED_HINGE",
           "SQUARED_INSENSITIVE", "TWEEDIE", "Loss"]
