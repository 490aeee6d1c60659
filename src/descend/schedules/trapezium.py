"""The schedule of a descent whose rate was found: its lengths are numbers, so that they may change, too."""


from descend._arrays import Scalar
from descend._hyperparameters import setting
from descend._numbers import mix, ramp, real
from descend.schedules._schedule import Rate, Schedule


@setting
class Trapezium(Schedule):
    """A straight rise to `peak` over the first steps, and a straight fall to nothing at step `steps`."""

    peak: Rate
    rise: Rate
    steps: Rate

    def __call__(self, step: Scalar) -> Rate:
        # Of the step after this one, so that the first has a rate above 0.
        risen = ramp(step + 1, self.rise)
        return self.peak * risen * mix(1.0, 0.0, ramp(real(step) - self.rise, self.steps - self.rise))

    @property
    def length(self) -> int | None:
        return round(float(self.steps))
