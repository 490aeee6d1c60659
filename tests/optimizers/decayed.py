"""Weight decay around any rule, and around the algorithm box of one."""

from descend.optimizers import WeightDecay

DECAY = 0.1


def coupled(rule):
    """The rule on gradients to which the parameters are added, as `weight_decay` means in most of PyTorch."""
    return lambda rate, **settings: WeightDecay(rule(rate, **settings), DECAY, decoupled=False)


def decoupled(rule):
    """The rule, and besides parameters that shrink."""
    return lambda rate, **settings: WeightDecay(rule(rate, **settings), DECAY)


def coupled_box(box):
    """The same for an algorithm box, which asks for a gradient when it needs it."""

    def run(x, gradients, rates, **settings):
        def decayed():
            for g in gradients:
                yield g + DECAY * x

        for after in box(x, decayed(), rates, **settings):
            x = after
            yield x

    return run


def decoupled_box(box):
    """The same for an algorithm box whose steps do not depend on where it is."""

    def run(x, gradients, rates, **settings):
        before = x
        for after, rate in zip(box(x, gradients, rates, **settings), rates, strict=True):
            x = (1 - rate * DECAY) * x + (after - before)
            before = after
            yield x

    return run
