"""Planted workloads that were looked at as the recipe of `optimizer="auto"` was chosen; nothing is judged by them."""

from collections.abc import Iterator

from benchmarks import _planted as planted
from benchmarks._planted import Friedman, Matrix, Parity, Points, Scales, Spirals, Sums, Views, drawn
from benchmarks._workloads import Workload, cross_entropy, perceptron, squared


def workloads() -> Iterator[Workload]:
    """All of them."""
    for matrix, batch, steps in (
        (Matrix(100, 80, 4, 0.0, seed=3, seen=0.99), 32, 1500),
        (Matrix(200, 150, 6, 0.3, seed=5), 64, 3000),
    ):
        yield Workload(f"a matrix of rank {matrix.rank}", matrix.start, planted.product_error, matrix, batch, steps)
    net = lambda seed, inputs: lambda _: drawn(seed, inputs, 32, 32, 1)
    yield Workload("u″ = −sin 5x", net(1, 1), planted.equation(planted.oscillation, 5.0), Points(2000, 1, 1), 64, 2000)
    yield Workload("u′ = −3u", net(2, 1), planted.equation(planted.decay, 3.0), Points(500, 1, 2), 32, 1000)
    for scales, loss, steps in (
        (Scales(4000, 12, 6.0, is_class=False, seed=1), planted.linear_error, 2000),
        (Scales(4000, 12, 6.0, is_class=True, seed=2), planted.logistic_loss, 3000),
    ):
        yield Workload(f"columns over six decades, {loss.__name__}", scales.start, loss, scales, 64, steps)
    for sums, steps in ((Sums(8000, 12, 24, seed=1), 2000), (Sums(3000, 20, 16, seed=2), 3000)):
        yield Workload(f"sums over {sums.length}", sums.start, planted.sum_error, sums, 64, steps)
    for views, steps in ((Views(4000, 6, 20, 0.3, seed=1), 1500), (Views(1500, 4, 30, 1.0, seed=4), 1000)):
        yield Workload(f"views of {views.hidden}", views.start, planted.told_apart, views, 64, steps)
    yield Workload("spirals", perceptron(2, 64, 64, 3), cross_entropy, Spirals(2000, 3, 1.0, 0.04, seed=1), 64, 2000)
    yield Workload("few spirals", perceptron(2, 32, 32, 2), cross_entropy, Spirals(600, 2, 0.75, 0.08, seed=2), 32, 500)
    yield Workload("moons", perceptron(2, 100, 2), cross_entropy, Spirals(600, 2, 0.4, 0.2, seed=6), 64, 250)
    yield Workload("parity", perceptron(12, 64, 2), cross_entropy, Parity(6000, 12, 3, 0.05, seed=1), 64, 2000)
    yield Workload("Friedman's", perceptron(10, 64, 1), squared, Friedman(1000, 0.2, seed=1), 64, 600)
    yield Workload("Friedman's, long", perceptron(10, 64, 64, 1), squared, Friedman(3000, 0.4, seed=2), 64, 3000)
    yield from _judged_at_first()


def _judged_at_first() -> Iterator[Workload]:
    """Those that `untuned_more` was begun with."""
    for matrix, batch, steps in (
        (Matrix(120, 90, 3, 0.2, seed=11), 64, 2500),
        (Matrix(300, 60, 8, 0.5, seed=12, seen=0.8), 128, 2000),
    ):
        yield Workload(f"a matrix of rank {matrix.rank}", matrix.start, planted.product_error, matrix, batch, steps)
    net = lambda seed, inputs: lambda _: drawn(seed, inputs, 24, 24, 1)
    sine = planted.equation(planted.oscillation, 3.0)
    yield Workload("u″ = −sin 3x", net(13, 1), sine, Points(1000, 1, 13), 50, 2500)
    yield Workload("u_xx + u_yy = f", net(14, 2), planted.potential, Points(3000, 2, 14), 64, 1500)
    for scales, loss, steps in (
        (Scales(3000, 9, 6.0, is_class=False, seed=15), planted.linear_error, 3000),
        (Scales(6000, 15, 5.0, is_class=True, seed=16), planted.logistic_loss, 2500),
    ):
        yield Workload(f"columns over {scales.decades:g} decades", scales.start, loss, scales, 50, steps)
    sums = Sums(5000, 10, 20, seed=17)
    yield Workload("sums over 10", sums.start, planted.sum_error, sums, 50, 2000)
    for views, steps in ((Views(5000, 8, 24, 0.5, seed=18), 2000), (Views(3000, 5, 16, 0.2, seed=19), 1200)):
        yield Workload(f"views of {views.hidden}", views.start, planted.told_apart, views, 50, steps)
    blurred = Spirals(3000, 4, 0.8, 0.1, seed=20)
    yield Workload("spirals, blurred", perceptron(2, 48, 48, 4), cross_entropy, blurred, 50, 2500)
    yield Workload("parity of two", perceptron(10, 48, 2), cross_entropy, Parity(5000, 10, 2, 0.1, seed=21), 50, 1500)
    yield Workload("Friedman's, short steps", perceptron(10, 48, 1), squared, Friedman(1500, 0.3, seed=22), 32, 2000)
