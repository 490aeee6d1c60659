"""Rates that end at a step: that of the descent, if it is left open."""


from descend._arrays import Scalar, namespace
from descend._hyperparameters import POSITIVE, fixed, require, require_choice, setting
from descend._numbers import mix, ramp, smooth, warmed
from descend.schedules._lengths import in_steps
from descend.schedules._schedule import Lasting, Rate


@setting
class Cosine(Lasting):
    """Half a cosine from `initial` down to `final`, after a linear warm-up.

        η(t) = final + (initial − final) · (1 + cos(π · (t − warmup) / (steps − warmup))) / 2

    `steps`: the step at which `final` is reached, and stayed at; left open, it is the length of the descent.
    `warmup`: so many first steps rise linearly, the last of them at `initial`; below 1, a part of `steps`.

    >>> schedule = Cosine(1.0, steps=100)
    >>> [round(float(schedule(t)), 3) for t in (0, 50, 100, 200)]
    [1.0, 0.5, 0.0, 0.0]

    Reference: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", arXiv 1608.03983.
    """

    initial: Rate
    steps: int | None = fixed(default=None)
    final: Rate = 0.0
    warmup: float = fixed(default=0)
    stages = ("warmup",)

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, final=POSITIVE)
        self.require_room()

    def __call__(self, step: Scalar) -> Rate:
        steps = self.known_length()
        warmup = in_steps(self.warmup, steps)
        # While it warms up the cosine stands at its start: a ramp is 0 before it begins.
        return warmed(mix(self.initial, self.final, smooth(ramp(step - warmup, steps - warmup))), step, warmup)


@setting
class Polynomial(Lasting):
    """A power of the steps that are left, from `initial` down to `final`, after a linear warm-up.

        η(t) = final + (initial − final) · (1 − (t − warmup) / (steps − warmup))^power

    `steps`: the step at which `final` is reached, and stayed at; left open, it is the length of the descent.
    `power`: 1 is linear decay. `warmup`: so many first steps rise linearly; below 1, a part of `steps`.

    >>> schedule = Polynomial(1.0, steps=100, power=2.0)
    >>> [round(float(schedule(t)), 3) for t in (0, 50, 100, 200)]
    [1.0, 0.25, 0.0, 0.0]

    Reference: Liu, Rabinovich and Berg, "ParseNet: looking wider to see better", arXiv 1506.04579.
    """

    initial: Rate
    steps: int | None = fixed(default=None)
    power: Rate = 1.0
    final: Rate = 0.0
    warmup: float = fixed(default=0)
    stages = ("warmup",)

    def __post_init__(self) -> None:
        require(self, initial=POSITIVE, power=POSITIVE, final=POSITIVE)
        self.require_room()

    def __call__(self, step: Scalar) -> Rate:
        steps = self.known_length()
        warmup = in_steps(self.warmup, steps)
        left = (1 - ramp(step - warmup, steps - warmup)) ** self.power
        return warmed(mix(self.final, self.initial, left), step, warmup)


SHAPES = {"cosine": smooth, "linear": lambda part: part}


@setting
class OneCycle(Lasting):
    """One rise to a large rate and one fall to a tiny one.

        peak / div  →  peak  →  peak / div_final                    over rise, and the other steps
        peak / div  →  peak  →  peak / div  →  peak / div_final     over rise, fall, and the other steps

    `steps`: the step at which the last rate is reached, and stayed at; left open, it is the length of the descent.
    `rise`, `fall`: steps; or, below 1, parts of `steps`. Without `fall`, the rate falls from its peak to its end at
    once, as in fastai and, by default, PyTorch; with it there are the paper's three stages, PyTorch's `three_phase`.
    `shape`: of each stage, "cosine" (fastai, PyTorch) or "linear" (the paper).
    `div`: 25 in fastai and PyTorch. `div_final`: 2.5 · 10⁵ is PyTorch's 25 · 10⁴, fastai has 10⁵.

    The steps are counted as in fastai and Optax. PyTorch's stages each end a step earlier: its
    `OneCycleLR(max_lr, total_steps=100, pct_start=0.3)` is `OneCycle(max_lr, steps=99, rise=29)`.

    >>> schedule = OneCycle(1.0, steps=100)
    >>> [round(float(schedule(t)), 6) for t in (0, 15, 30, 65, 100)]
    [0.04, 0.52, 1.0, 0.500002, 4e-06]

    Reference: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    arXiv 1708.07120.
    """

    peak: Rate
    steps: int | None = fixed(default=None)
    rise: float = fixed(default=0.3)
    fall: float | None = fixed(default=None)
    shape: str = fixed(default="cosine")
    div: Rate = 25.0
    div_final: Rate = 2.5e5
    stages = ("rise", "fall")

    def __post_init__(self) -> None:
        require(self, peak=POSITIVE, div=(1.0, POSITIVE[1]), div_final=(1.0, POSITIVE[1]))
        require_choice(self, "shape", SHAPES)
        self.require_room()

    def __call__(self, step: Scalar) -> Rate:
        steps, first, last = self.known_length(), self.peak / self.div, self.peak / self.div_final
        rise, fall = in_steps(self.rise, steps), in_steps(self.fall or 0, steps)
        goals = [(rise, self.peak), (fall, first), (steps - rise - fall, last)]
        rate, begin = first, 0
        # Each stage begins at the rate that the one before has come to, so that one of no length is a jump.
        for length, goal in goals if self.fall is not None else (goals[0], goals[2]):
            rate = mix(rate, goal, SHAPES[self.shape](ramp(step - begin, length)))
            begin += length
        return rate


DECAYS = {"linear": lambda part: 1 - part, "1-sqrt": lambda part: 1 - namespace(part).sqrt(part)}


@setting
class WarmupStableDecay(Lasting):
    """A linear warm-up, a constant rate, and a decay at the end.

        η(t) = peak · (t + 1) / warmup                       t < warmup
               peak                                          between
               final + (peak − final) · (1 − x)              x = (t − (steps − decay)) / decay, "linear"
               final + (peak − final) · (1 − √x)             "1-sqrt"

    As long as it is constant, the length need not be known: a longer descent goes on from before the decay.

    `steps`: the step at which `final` is reached, and stayed at; left open, it is the length of the descent.
    `warmup`, `decay`: steps; or, below 1, parts of `steps`. `shape`: of the decay, "1-sqrt" or "linear".

    >>> schedule = WarmupStableDecay(1.0, steps=100, warmup=0.1, decay=0.2)
    >>> [round(float(schedule(t)), 3) for t in (0, 9, 79, 85, 90, 100)]
    [0.1, 1.0, 1.0, 0.5, 0.293, 0.0]

    References: Hu et al., "MiniCPM: unveiling the potential of small language models with scalable training
    strategies", arXiv 2404.06395; Hägele et al., "Scaling laws and compute-optimal training beyond fixed training
    durations", arXiv 2405.18392.
    """

    peak: Rate
    steps: int | None = fixed(default=None)
    warmup: float = fixed(default=0.05)
    decay: float = fixed(default=0.2)
    shape: str = fixed(default="1-sqrt")
    final: Rate = 0.0
    stages = ("warmup", "decay")

    def __post_init__(self) -> None:
        require(self, peak=POSITIVE, final=POSITIVE)
        require_choice(self, "shape", DECAYS)
        self.require_room()

    def __call__(self, step: Scalar) -> Rate:
        steps = self.known_length()
        decay = in_steps(self.decay, steps)
        # The decay is counted from the end, so that a longer descent has the same rates up to it.
        left = DECAYS[self.shape](ramp(step - (steps - decay), decay))
        return warmed(mix(self.final, self.peak, left), step, in_steps(self.warmup, steps))
